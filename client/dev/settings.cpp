#include "client/dev/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <map>

#include "crypto/bip32.h"
#include "ops/key_file.h"

namespace windlass::dev {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view btt_token = "1002000";
constexpr std::int64_t faucet_sun = 1'000'000'000'000'000;    // 10^9 TRX
constexpr std::int64_t faucet_btt = 900'000'000'000'000'000;  // 9 * 10^11 BTT of 6 decimals
// Of 18 decimals; its contract stands where it stands on the main network.
constexpr std::string_view btt20_contract = "TAFjULxiVgT4qWk6UZwjqwZXTSaGaqnVp4";
constexpr std::string_view faucet_btt20 = "900000000000000000000000000000000";  // 9 * 10^14 BTT20
constexpr std::int64_t anchor_sun = 1'000'000'000'000;                          // some 10^5 anchors' fees
constexpr std::int64_t operator_sun = 1'000'000;                                // so that the address exists
// The one node is as trustworthy as the rest of the system: it may have all there is.
constexpr std::int64_t dev_ceiling = faucet_btt;
constexpr std::string_view keys[] = {"operator", "gateway", "anchor", "custody", "faucet", "escrow"};

// One name, one place: reading and writing both go through this table.
struct Field {
  std::string_view name;
  std::int64_t (*get)(const Settings&);
  void (*set)(Settings&, std::int64_t);
};
#define WINDLASS_DEV_FIELD(name, member)                                                   \
  {                                                                                        \
    name, [](const Settings& s) -> std::int64_t { return s.member; },                      \
        [](Settings& s, std::int64_t v) { s.member = static_cast<decltype(s.member)>(v); } \
  }
constexpr Field fields[] = {
    WINDLASS_DEV_FIELD("grpc_port", ports.grpc),
    WINDLASS_DEV_FIELD("http_port", ports.http),
    WINDLASS_DEV_FIELD("metrics_port", ports.metrics),
    WINDLASS_DEV_FIELD("tron_port", ports.tron),
    WINDLASS_DEV_FIELD("anchor_metrics_port", ports.anchor_metrics),
    WINDLASS_DEV_FIELD("exchange_port", ports.exchange),
    WINDLASS_DEV_FIELD("block_interval_ms", block_interval_ms),
    WINDLASS_DEV_FIELD("solid_after", solid_after),
    WINDLASS_DEV_FIELD("anchor_interval_ms", anchor_interval_ms),
};
#undef WINDLASS_DEV_FIELD

auto error(std::string_view what, const fs::path& path) {
  return tl::unexpected(fmt::format("{} {}", what, path.string()));
}

constexpr int Ports::*every_port[] = {&Ports::grpc,           &Ports::http, &Ports::metrics,
                                      &Ports::anchor_metrics, &Ports::tron, &Ports::exchange};
// Blocks of ports that are tried one after the other. All lie below those that the system gives to outgoing
// connections, which could take one while the system is stopped.
constexpr int block_step = 10, blocks = 100;

// The defaults, or the first block above them that is free as a whole.
Ports choose_ports() {
  for (int block = 0; block < blocks; ++block) {
    Ports ports;
    for (auto port : every_port) ports.*port += block * block_step;
    if (std::all_of(std::begin(every_port), std::end(every_port),
                    [&](auto port) { return is_free_port(ports.*port); }))
      return ports;
  }
  return {};  // whoever starts will say which is taken
}

bool write_file(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  return static_cast<bool>(out.flush());
}

std::string conf_text(const Settings& settings) {
  std::string text = "# Of a Windlass development system: what `windlass dev` keeps between runs.\n";
  for (const auto& field : fields) text += fmt::format("{} = {}\n", field.name, field.get(settings));
  text += fmt::format("log_vkey = {}\ncustody = {}\n", settings.log_vkey, settings.custody);
  if (!settings.deposit_key.empty()) text += fmt::format("deposit_key = {}\n", settings.deposit_key);
  if (!settings.anchor_contract.empty())
    text += fmt::format("anchor_contract = {}\n", settings.anchor_contract);
  return text;
}

tl::expected<tron::Address, std::string> address_in(const fs::path& key_file) {
  auto key = ops::read_key_file(key_file);
  if (!key) return tl::unexpected(key.error());
  return tron::address_of(key->public_key());
}

// Deposit addresses are those of m/44'/195'/0'/0: the path that wallets show TRON addresses of.
tl::expected<void, std::string> make_deposit_key(Settings& settings) {
  std::optional<ExtendedSecretKey> key = ExtendedSecretKey::from_seed(view(random_array<32>()));
  for (std::uint32_t number :
       {first_hardened_child + 44, first_hardened_child + 195, first_hardened_child, 0u})
    if (key) key = key->child(number);
  if (!key) return tl::unexpected(std::string("the deposit key cannot be made; try again"));
  settings.deposit_key = key->public_key().text();
  return ops::write_secret_file(settings.key_file("deposit"), ops::SecretText(key->text()));
}

// Keys, and the devchain's first accounts. The configuration is written last: with it the system exists.
tl::expected<void, std::string> make_keys(Settings& settings) {
  std::error_code failed;
  fs::create_directories(settings.dir / "keys", failed);
  if (!failed) fs::permissions(settings.dir / "keys", fs::perms::owner_all, failed);
  if (failed) return error("cannot make", settings.dir / "keys");
  for (std::string_view name : keys)
    if (auto written = ops::write_key_file(settings.key_file(name), SecretKey::generate()); !written)
      return written;
  if (auto written = make_deposit_key(settings); !written) return written;
  log::NoteSigner signer("windlass.dev/" + to_hex(random_array<4>()), Ed25519SecretKey::generate());
  settings.log_vkey = signer.verifier().text();
  return ops::write_note_key_file(settings.key_file("log"), signer);
}

std::string genesis_account(const tron::Address& address, std::int64_t sun, std::int64_t btt) {
  std::string tokens = btt == 0 ? "" : fmt::format(R"("{}": "{}")", btt_token, btt);
  return fmt::format(R"({{"address": "{}", "balance_sun": "{}", "tokens": {{{}}}}})",
                     tron::to_base58(address), sun, tokens);
}

std::string genesis_token(const tron::Address& holder) {
  return fmt::format(
      R"({{"address": "{}", "name": "BitTorrent", "symbol": "BTT20", "decimals": 18, "balances": {{"{}": "{}"}}}})",
      btt20_contract, tron::to_base58(holder), faucet_btt20);
}

tl::expected<void, std::string> make_chain_genesis(Settings& settings) {
  std::map<std::string_view, tron::Address> addresses;
  for (std::string_view name : keys) {
    auto address = address_in(settings.key_file(name));
    if (!address) return tl::unexpected(address.error());
    addresses[name] = *address;
  }
  settings.custody = tron::to_base58(addresses["custody"]);
  std::string text = fmt::format("{{\"accounts\": [\n  {},\n  {},\n  {}\n], \"contracts\": [\n  {}\n]}}\n",
                                 genesis_account(addresses["faucet"], faucet_sun, faucet_btt),
                                 genesis_account(addresses["anchor"], anchor_sun, 0),
                                 genesis_account(addresses["operator"], operator_sun, 0),
                                 genesis_token(addresses["faucet"]));
  if (!write_file(settings.dir / genesis_file, text))
    return error("cannot write", settings.dir / genesis_file);
  return {};
}

tl::expected<std::string, std::string> public_key_in(const fs::path& key_file) {
  auto key = ops::read_key_file(key_file);
  if (!key) return tl::unexpected(key.error());
  return to_hex(key->public_key());
}

// The two programs' configuration, written anew at each start: it follows from the settings.
tl::expected<void, std::string> write_program_confs(const Settings& settings) {
  std::map<std::string_view, std::string> key;
  // Systems made before there was one have none.
  if (auto escrow = settings.key_file("escrow"); !fs::exists(escrow))
    if (auto written = ops::write_key_file(escrow, SecretKey::generate()); !written) return written;
  for (std::string_view name : keys) {
    auto hex = public_key_in(settings.key_file(name));
    if (!hex) return tl::unexpected(hex.error());
    key[name] = *hex;
  }
  auto anchor = address_in(settings.key_file("anchor"));
  auto to = address_in(settings.key_file("operator"));
  if (!anchor || !to) return error("cannot read the keys of", settings.dir);
  std::string server = fmt::format(
      R"([database]
url = "{}"

[grpc]
listen = "{}"

[http]
listen = "127.0.0.1:{}"

[metrics]
listen = "127.0.0.1:{}"

[log]
directory = "{}"
key_file = "{}"

[server]
public_contents = true

[btfs]
enabled = true
escrow_key_file = "{}"
exchange = "{}"

{}[genesis]
operator_key = "{}"
gateway_key = "{}"
anchor_key = "{}"
anchor_address = "{}"
{}custody_address = "{}"
btt20_contract = "{}"
)",
      database_url(settings.cluster(), "windlass_server"), settings.grpc_address(), settings.ports.http,
      settings.ports.metrics, (settings.dir / "log").string(), settings.key_file("log").string(),
      settings.key_file("escrow").string(), settings.exchange_address(),
      settings.deposit_key.empty()
          ? ""
          : fmt::format("[deposits]\nextended_public_key = \"{}\"\n\n", settings.deposit_key),
      key["operator"], key["gateway"], key["anchor"], tron::to_base58(*anchor),
      settings.anchors_by_contract() ? fmt::format("anchor_contract = \"{}\"\n", settings.anchor_contract)
                                     : "",
      settings.custody, btt20_contract);
  std::string where = settings.anchors_by_contract()
                          ? fmt::format("contract = \"{}\"", settings.anchor_contract)
                          : fmt::format("to = \"{}\"", tron::to_base58(*to));
  std::string worker = fmt::format(
      R"([ledger]
address = "{0}"

[database]
url = "{1}"

[tron]
full_node = "{2}"
solidity_node = "{2}"
poll_interval_ms = {9}

[anchor]
key_file = "{3}"
{4}
interval_ms = {5}

[gateway]
key_file = "{6}"
custody = "{7}"
start_block = 1
custody_key_file = "{10}"
withdrawals = ["BTT minimum=1000000 fee=100000", "TRX minimum=1000000 fee=100000", "BTT20 minimum=1000 fee=100"]
single_node_ceilings = ["BTT {13}", "TRX {13}", "BTT20 {13}"]
{11}
[exchange]
listen = "{12}"

[metrics]
listen = "127.0.0.1:{8}"
)",
      settings.grpc_address(), database_url(settings.cluster(), "windlass_anchor"), settings.tron_address(),
      settings.key_file("anchor").string(), where, settings.anchor_interval_ms,
      settings.key_file("gateway").string(), settings.custody, settings.ports.anchor_metrics,
      std::clamp<std::int64_t>(settings.block_interval_ms / 2, 50, 1000),
      settings.key_file("custody").string(),
      settings.deposit_key.empty()
          ? ""
          : fmt::format("deposit_key_file = \"{}\"\nsweeps = [\"BTT minimum=1000000\", \"TRX "
                        "minimum=1000000\", \"BTT20 minimum=1000\"]\nmax_fee_sun = 30000000\n",
                        settings.key_file("deposit").string()),
      settings.exchange_address(), dev_ceiling);
  if (!write_file(settings.dir / server_conf, server))
    return error("cannot write", settings.dir / server_conf);
  if (!write_file(settings.dir / anchor_conf, worker))
    return error("cannot write", settings.dir / anchor_conf);
  return {};
}

void override_with(Settings& settings, const Options& options) {
  for (auto port : every_port)
    if (options.ports.*port != 0) settings.ports.*port = options.ports.*port;
  if (options.block_interval_ms != 0) settings.block_interval_ms = options.block_interval_ms;
  if (options.solid_after != 0) settings.solid_after = options.solid_after;
  if (options.anchor_interval_ms != 0) settings.anchor_interval_ms = options.anchor_interval_ms;
}

// But for the lock of whoever is about to fill it.
bool is_empty_but_for_lock(const fs::path& dir) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(dir, failed))
    if (entry.path().filename() != lock_file) return false;
  return true;
}

tl::expected<Settings, std::string> make_system(const fs::path& dir, const Options& options) {
  std::error_code failed;
  if (!is_empty_but_for_lock(dir) && !fs::exists(dir / "keys", failed))
    return tl::unexpected(
        fmt::format("{} holds something else; name an empty or a new folder with --dir", dir.string()));
  fs::remove_all(dir / "keys", failed);  // of a start that was interrupted: nothing was made with them
  Settings settings{.dir = dir, .ports = choose_ports()};
  settings.anchor_contract = Settings::to_be_deployed;
  override_with(settings, options);
  if (auto made = make_keys(settings); !made) return tl::unexpected(made.error());
  if (auto made = make_chain_genesis(settings); !made) return tl::unexpected(made.error());
  return settings;
}

}  // namespace

fs::path Settings::key_file(std::string_view name) const {
  return dir / "keys" / name;
}
std::string Settings::grpc_address() const {
  return fmt::format("127.0.0.1:{}", ports.grpc);
}
std::string Settings::http_url() const {
  return fmt::format("http://127.0.0.1:{}", ports.http);
}
std::string Settings::exchange_address() const {
  return fmt::format("127.0.0.1:{}", ports.exchange);
}
std::string Settings::tron_address() const {
  return fmt::format("127.0.0.1:{}", ports.tron);
}

tl::expected<Settings, std::string> load_settings(const fs::path& given) {
  fs::path dir = fs::weakly_canonical(fs::absolute(given));
  Settings settings{.dir = dir};
  std::ifstream in(settings.conf());
  if (!in)
    return tl::unexpected(
        fmt::format("there is no development system in {}: `windlass dev` makes one", dir.string()));
  for (std::string line; std::getline(in, line);) {
    auto split = line.find(" = ");
    if (line.starts_with('#') || split == line.npos) continue;
    std::string name = line.substr(0, split), value = line.substr(split + 3);
    for (const auto& field : fields)
      if (std::int64_t number = 0; field.name == name) {
        std::from_chars(value.data(), value.data() + value.size(), number);
        field.set(settings, number);
      }
    if (name == "log_vkey") settings.log_vkey = value;
    if (name == "custody") settings.custody = value;
    if (name == "deposit_key") settings.deposit_key = value;
    if (name == "anchor_contract") settings.anchor_contract = value;
  }
  return settings;
}

tl::expected<Settings, std::string> prepare(const Options& options) {
  fs::path dir = fs::weakly_canonical(fs::absolute(options.dir));
  auto settings = fs::exists(dir / "dev.conf") ? load_settings(dir) : make_system(dir, options);
  if (!settings) return settings;
  override_with(*settings, options);
  std::error_code failed;
  for (const auto& folder : {settings->logs(), dir / "log", dir / "devchain"}) {
    fs::create_directories(folder, failed);
    if (failed) return error("cannot make", folder);
  }
  // Where Postgres' user, another one than ours, writes nothing but its own folder: its log is opened by us.
  if (auto saved = save(*settings); !saved) return tl::unexpected(saved.error());
  return settings;
}

tl::expected<void, std::string> save(const Settings& settings) {
  if (auto written = write_program_confs(settings); !written) return written;
  if (!write_file(settings.conf(), conf_text(settings))) return error("cannot write", settings.conf());
  return {};
}

tl::expected<void, std::string> remove_system(const fs::path& given) {
  fs::path dir = fs::weakly_canonical(fs::absolute(given));
  std::error_code failed;
  if (is_empty_but_for_lock(dir)) return {};
  if (!fs::exists(dir / "dev.conf"))
    return tl::unexpected(fmt::format("{} is no development system: it is not removed", dir.string()));
  remove_cluster(place_of(dir));
  // Not the folder itself: it holds the lock that we hold.
  for (const auto& entry : fs::directory_iterator(dir))
    if (entry.path().filename() != lock_file) fs::remove_all(entry.path(), failed);
  if (failed) return error("cannot remove what is in", dir);
  return {};
}

std::vector<std::pair<std::string, std::string>> environment(const Settings& settings) {
  return {{"WINDLASS_ADDRESS", settings.grpc_address()},
          {"WINDLASS_HTTP", settings.http_url()},
          {"WINDLASS_DATABASE_URL", database_url(settings.cluster(), owner_role)},
          {"WINDLASS_TRON_GRPC", settings.tron_address()},
          {"WINDLASS_TRON_HTTP", ""},  // the devchain speaks gRPC alone
          {"WINDLASS_LOG_VKEY", settings.log_vkey},
          {"WINDLASS_ANCHOR_CONTRACT", settings.anchors_by_contract() ? settings.anchor_contract : ""},
          {"WINDLASS_CUSTODY", settings.custody}};
}

}  // namespace windlass::dev
