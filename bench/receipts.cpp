// receipts: CPU of one signature verification / server-side CPU per accepted receipt. Signed receipts on
// their own channels, round-robin over the channels for several rounds, so that no two of one channel wait at
// once and none is covered; several commands a message. The load generator signs beforehand and is not
// counted; what is written behind is.
#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <iostream>

#include "bench/server_under_test.h"
#include "client/submit_stream.h"

namespace windlass::bench {
namespace {

struct Size {
  std::size_t channels = 20'000;
  std::size_t rounds = 5;
};
constexpr std::size_t payers = 64;
// Fewer than the channels, so that a channel's next receipt is sent after its last was answered.
constexpr std::size_t max_unanswered = 2048;
constexpr core::Amount deposit = 1'000'000;

// Sends all of them over one stream; answers how many were accepted, and the acceptances in order.
std::vector<client::pb::SubmitResult> send_all(client::Connection& connection,
                                               std::vector<client::pb::SignedCommand> commands) {
  std::vector<client::pb::SubmitResult> results(commands.size());
  client::SubmitStreamOptions options;
  options.window = max_unanswered;
  client::SubmitStream stream(
      connection, options,
      [&](std::uint64_t tag, const client::pb::SubmitResult& result) { results[tag] = result; });
  for (std::size_t i = 0; i < commands.size(); ++i)
    if (!stream.send(std::move(commands[i]), i)) break;
  if (auto done = stream.finish(); !done) {
    std::cerr << done.error().message << '\n';
    std::exit(1);
  }
  return results;
}

int run(const Size& size) {
  ServerUnderTest server;
  std::vector<std::unique_ptr<client::CommandSigner>> signers;
  for (std::size_t i = 0; i < payers; ++i) {
    signers.push_back(std::make_unique<client::CommandSigner>(SecretKey::generate(), server.tag()));
    server.credit(signers.back()->key(), deposit * static_cast<core::Amount>(size.channels));
  }
  std::vector<client::pb::SignedCommand> opens;
  auto expires = client::CommandSigner::system_now_ns() / 1000 + core::day_us;
  for (std::size_t i = 0; i < size.channels; ++i)
    opens.push_back(signers[i % payers]->sign(
        core::OpenChannel{core::AssetId{1}, SecretKey::generate().public_key(), deposit, expires, {}, {}}));
  std::vector<core::ChannelId> channels;
  for (const auto& result : send_all(server.connection(), std::move(opens))) {
    if (!result.has_accepted()) {
      std::cerr << "a channel was not opened: " << result.rejected().message() << '\n';
      return 1;
    }
    channels.push_back({result.accepted().sequence()});
  }
  std::vector<std::vector<client::pb::SignedCommand>> rounds(size.rounds);
  for (std::size_t round = 0; round < size.rounds; ++round)
    for (std::size_t i = 0; i < channels.size(); ++i)
      rounds[round].push_back(
          signers[i % payers]->sign_receipt(channels[i], static_cast<core::Amount>((round + 1) * 100)));
  server.wait_until_flushed();

  double verification = verification_seconds();
  double cpu = server.cpu_seconds(), own = server.windlassd_cpu_seconds();
  auto started = std::chrono::steady_clock::now();
  std::size_t accepted = 0;
  std::vector<client::pb::SignedCommand> all;
  for (auto& round : rounds) std::move(round.begin(), round.end(), std::back_inserter(all));
  for (const auto& result : send_all(server.connection(), std::move(all)))
    accepted += result.has_accepted() ? 1 : 0;
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  server.wait_until_flushed();
  cpu = server.cpu_seconds() - cpu;
  own = server.windlassd_cpu_seconds() - own;
  verification = (verification + verification_seconds()) / 2;
  if (accepted != size.channels * size.rounds) {
    std::cerr << fmt::format("{} of {} receipts were accepted\n", accepted, size.channels * size.rounds);
    return 1;
  }
  double per_receipt = cpu / static_cast<double>(accepted);
  fmt::print(
      "receipts {:.3f} ratio (higher is better) verification_us={:.1f} server_us={:.1f} windlassd_us={:.1f} "
      "postgres_us={:.1f} per_second={:.0f} receipts={}\n",
      verification / per_receipt, verification * 1e6, per_receipt * 1e6,
      own / static_cast<double>(accepted) * 1e6, (cpu - own) / static_cast<double>(accepted) * 1e6,
      static_cast<double>(accepted) / seconds, accepted);
  return 0;
}

}  // namespace
}  // namespace windlass::bench

int main(int argc, char** argv) {
  windlass::bench::Size size;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) size = {4'000, 3};
    if (std::strcmp(argv[i], "--try") == 0) size = {100, 1};
  }
  return windlass::bench::run(size);
}
