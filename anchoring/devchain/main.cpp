// windlass-devchain: a TRON node for development and tests.
#include <pthread.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "anchoring/devchain/genesis.h"
#include "anchoring/devchain/server.h"

namespace {

using namespace windlass;
namespace fs = std::filesystem;

constexpr int exit_refused = 1, exit_usage = 2;

constexpr std::string_view usage =
    R"(usage: windlass-devchain --dir DIR [--genesis FILE] [--listen HOST:PORT] [--block-interval-ms MS] [--solid-after N]

A TRON node for development and tests: protocol.Wallet and protocol.WalletSolidity over gRPC.

  --dir DIR               where the blocks, the witness key and the genesis are kept between runs
  --genesis FILE          JSON: {"accounts": [{"address": "T...", "balance_sun": "1000000", "tokens": {"1002000": "5"}}],
                          "contracts": [{"address": "T...", "symbol": "GLD", "decimals": 18, "balances": {"T...": "7"}}]};
                          needed for the first run in DIR
  --listen HOST:PORT      default 127.0.0.1:50051; port 0 takes a free one
  --block-interval-ms MS  default 1000
  --solid-after N         blocks that must stand on one to solidify it; default 5

Prints "devchain listening on HOST:PORT" when it is ready. SIGTERM and SIGINT stop it.
)";

struct Settings {
  std::string listen = "127.0.0.1:50051";
  std::string dir, genesis;
  std::int64_t block_interval_ms = 1000;
  std::int64_t solid_after = 5;
};

tl::expected<std::int64_t, std::string> number(const std::string& name, const std::string& text,
                                               std::int64_t least) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    return tl::unexpected(name + ": \"" + text + "\" is no number from " + std::to_string(least));
  return value;
}

tl::expected<Settings, std::string> parse_arguments(const std::vector<std::string>& arguments) {
  Settings settings;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string& name = arguments[i];
    if (i + 1 == arguments.size()) return tl::unexpected(name + ": unknown, or its value is missing");
    const std::string& value = arguments[i + 1];
    tl::expected<std::int64_t, std::string> parsed = 0;
    if (name == "--listen")
      settings.listen = value;
    else if (name == "--dir")
      settings.dir = value;
    else if (name == "--genesis")
      settings.genesis = value;
    else if (name == "--block-interval-ms")
      settings.block_interval_ms = (parsed = number(name, value, 1)).value_or(0);
    else if (name == "--solid-after")
      settings.solid_after = (parsed = number(name, value, 0)).value_or(0);
    else
      return tl::unexpected(name + ": unknown");
    if (!parsed) return tl::unexpected(parsed.error());
  }
  if (settings.dir.empty()) return tl::unexpected<std::string>("--dir is missing");
  if (settings.listen.rfind(':') == std::string::npos)
    return tl::unexpected<std::string>("--listen wants HOST:PORT");
  return settings;
}

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// The genesis belongs to the directory: what the first run was given holds for all that follow.
tl::expected<std::vector<devchain::GenesisAccount>, std::string> load_genesis(const Settings& settings) {
  fs::path kept = fs::path(settings.dir) / "genesis.json";
  auto stored = read_file(kept);
  auto given = settings.genesis.empty() ? stored : read_file(settings.genesis);
  if (!given)
    return tl::unexpected(settings.genesis.empty() ? "the first run in " + settings.dir + " needs --genesis"
                                                   : "cannot read " + settings.genesis);
  if (stored && *given != *stored)
    return tl::unexpected(settings.genesis + " is not the genesis that " + settings.dir +
                          " began with; use another --dir, or leave --genesis away");
  auto accounts = devchain::parse_genesis(*given);
  if (accounts && !stored) std::ofstream(kept, std::ios::binary) << *given;
  return accounts;
}

int fail(const std::string& what, int code = exit_refused) {
  std::cerr << "windlass-devchain: " << what << "\n";
  return code;
}

int run(const Settings& settings) {
  std::error_code error;
  fs::create_directories(settings.dir, error);
  if (error) return fail("cannot make " + settings.dir + ": " + error.message());
  auto genesis = load_genesis(settings);
  if (!genesis) return fail(genesis.error());
  auto witness = devchain::load_or_make_key((fs::path(settings.dir) / "witness.key").string());
  if (!witness) return fail(witness.error());

  SystemClock clock;
  devchain::Options options;
  options.block_interval_ms = settings.block_interval_ms;
  options.solid_after = settings.solid_after;
  devchain::DevChain chain(clock, options, *genesis, *witness);

  std::string path = (fs::path(settings.dir) / "blocks").string();
  auto file = devchain::BlockFile::open(path);
  if (!file) return fail(file.error());
  if (file->dropped_bytes() > 0)
    std::cerr << "windlass-devchain: dropped " << file->dropped_bytes() << " damaged bytes at the end of "
              << path << "\n";
  for (const auto& block : file->take_blocks())
    if (auto restored = chain.restore(block); !restored) return fail(path + ": " + restored.error());

  std::atomic<bool> failed = false;
  devchain::Server server(chain, &*file, [&](const std::string& what) {
    failed = true;
    fail(path + ": " + what);
    ::kill(::getpid(), SIGTERM);
  });
  auto port = server.start(settings.listen, std::chrono::milliseconds(settings.block_interval_ms));
  if (!port) return fail(port.error());
  std::cout << "devchain listening on " << settings.listen.substr(0, settings.listen.rfind(':')) << ":"
            << *port << std::endl;

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int signal = 0;
  sigwait(&signals, &signal);
  server.stop();
  return failed ? exit_refused : 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Before any thread starts, so that all inherit it: the signals are waited for, not handled.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::cout << usage;
    return 0;
  }
  auto settings = parse_arguments(arguments);
  if (!settings) return fail(settings.error() + "\n\n" + std::string(usage), exit_usage);
  return run(*settings);
}
