// verification: time to verify, entry by entry, a history of 1,000 entries in a log of 10 million: from a
// file that holds every proof, on one core. Beside it the file's size for each entry, and how much of that is
// the path.
#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/server.h"
#include "client/history.h"

namespace windlass::bench {
namespace {

constexpr int runs = 5;
constexpr std::uint64_t accounts = 10'000, watched = 1'000, entries = 10'000'000;

}  // namespace

void bench_verification(const Scale& scale) {
  Growth growth{.accounts = accounts, .transfers = entries, .watched = watched};
  if (scale.size == Size::quick) growth = {.accounts = 1'000, .transfers = 300'000, .watched = watched};
  if (scale.size == Size::try_out) growth = {.accounts = 20, .transfers = 3'000, .watched = 100};
  Server server({.growth = growth});
  auto& connection = server.connection();
  client::pb::GetAccountRequest request;
  request.set_key(std::string(view(secret_key(0).public_key())));
  auto account = must(connection.call(&client::pb::Query::Stub::GetAccount, request));
  auto history = must(client::read_history(connection, account, {}));
  auto vkey = *log::VerifierKey::parse(must(connection.facts())->info.log_vkey());

  auto file = client::unproven_statement(history);
  auto ledger = client::evidence_from(connection);
  must(client::verify_history(*client::record(*ledger, file), history, {vkey, {}, nullptr, 4}, {}));

  auto evidence = client::evidence_from(file);
  auto shown = client::history_of(file);
  std::vector<double> seconds;
  client::Verified verified;
  for (int i = 0; i < runs; ++i) {
    Stopwatch watch;
    verified = must(client::verify_history(*evidence, shown, {vkey, {}, nullptr, 1}, {}));
    seconds.push_back(watch.seconds());
  }
  auto shown_entries = static_cast<double>(verified.entries);
  std::size_t path_bytes = 0;
  for (const auto& proof : file.inclusions())
    for (const auto& hash : proof.path()) path_bytes += hash.size();
  Report verification{.name = "verification", .unit = "us", .higher_is_better = false};
  for (double one : seconds) verification.samples.push_back(one / shown_entries * 1e6);
  verification.figure = median(verification.samples);
  verification.beside = {{"entries", shown_entries},
                         {"log_size", static_cast<double>(verified.checkpoint.size)},
                         {"bytes_an_entry", static_cast<double>(file.ByteSizeLong()) / shown_entries},
                         {"path_bytes_an_entry", static_cast<double>(path_bytes) / shown_entries}};
  report(verification);
}

}  // namespace windlass::bench
