// verification: time to verify, entry by entry, a history of 1,000 entries in a log of 10 million: from a
// file that holds every proof, on one core. Beside it the file's size for each entry, and how much of that is
// the path.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>

#include "bench/grown_ledger.h"
#include "bench/server_under_test.h"
#include "client/history.h"

namespace windlass::bench {
namespace {

constexpr int runs = 5;

template <typename T>
T must(client::Result<T> result) {
  if (result) return *std::move(result);
  std::cerr << result.error().message << '\n';
  std::exit(1);
}

int run(const Growth& growth) {
  ServerUnderTest server(&growth);
  auto& connection = server.connection();
  client::pb::GetAccountRequest request;
  request.set_key(std::string(view(growth.watched_key.public_key())));
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
    auto from = std::chrono::steady_clock::now();
    verified = must(client::verify_history(*evidence, shown, {vkey, {}, nullptr, 1}, {}));
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + runs / 2, seconds.end());
  auto entries = static_cast<double>(verified.entries);
  std::size_t path_bytes = 0;
  for (const auto& proof : file.inclusions())
    for (const auto& hash : proof.path()) path_bytes += hash.size();
  fmt::print(
      "verification {:.1f} us (lower is better) of an entry, {} of a log of {}; {:.0f} bytes an entry, "
      "{:.0f} of them its path\n",
      seconds[runs / 2] / entries * 1e6, verified.entries, verified.checkpoint.size,
      static_cast<double>(file.ByteSizeLong()) / entries, static_cast<double>(path_bytes) / entries);
  return 0;
}

}  // namespace
}  // namespace windlass::bench

int main(int argc, char** argv) {
  using windlass::bench::Growth;
  auto has = [&](const char* flag) {
    return std::any_of(argv + 1, argv + argc, [&](const char* a) { return std::strcmp(a, flag) == 0; });
  };
  Growth growth{.entries = 10'000'000, .accounts = 10'000, .watched = 1000};
  if (has("--quick")) growth = {.entries = 300'000, .accounts = 1000, .watched = 1000};
  if (has("--try")) growth = {.entries = 3000, .accounts = 20, .watched = 100};
  return windlass::bench::run(growth);
}
