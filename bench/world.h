// A server with a ledger on it, and those who act on it: what they sign, and what the server's work costs.
#pragma once

#include "bench/bench.h"
#include "bench/load.h"
#include "bench/server.h"

namespace windlass::bench {

constexpr std::size_t list_accounts = 10'000, lists_in_flight = 32;

class World {
 public:
  explicit World(const ServerOptions& options) : server(options), growth_(options.growth) {}

  Server server;

  // The next receipt of each channel in turn.
  std::vector<pb::SignedCommand> receipts(std::size_t count);
  // Of the same channels, `each` receipts of one after the other.
  std::vector<pb::SignedCommand> receipts_in_rows(std::size_t count, std::size_t each);
  // From each account in turn; `hot_percent` of them to ten accounts, the others to any.
  std::vector<pb::SignedCommand> transfers(std::size_t count, unsigned hot_percent);
  // Full lists, from each of some accounts in turn, over the first `accounts` of them.
  std::vector<pb::SignedCommand> lists(std::size_t count, std::size_t accounts);

  LoadOptions load() const { return {.address = server.address()}; }
  LoadOptions load_of_lists() const {
    return {.address = server.address(), .commands_a_message = 1, .in_flight = lists_in_flight};
  }
  const Growth& growth() const { return growth_; }
  // Once: a command of each channel, and of each of the first `accounts`, so that what they need is in memory
  // as in a server that has just seen them opened.
  void warm_up(std::size_t accounts);

 private:
  core::Command command(std::uint64_t who, std::int64_t began_ns, std::size_t nth, core::Body body);

  Growth growth_;
  std::uint64_t receipts_ = 0, transfers_ = 0, lists_ = 0;
  bool is_warm_ = false;
};

// Benches that follow one another on equal ledgers share one: the newest is kept until another is asked for.
World& shared_world(const Growth& growth);
World& young_world(const Scale& scale);  // of the scale's accounts and channels, warmed up
void end_shared_world();

// What a piece of work cost, by the operating system, until its balances were written.
struct Cost {
  LoadResult load;
  double verification = 0;                         // CPU seconds of one of many, before and after
  double same_again = 0;                           // of the same signature again and again
  double server = 0, windlassd = 0, postgres = 0;  // CPU seconds of all of it

  double per_accepted(double seconds) const { return seconds / static_cast<double>(load.accepted); }
  double ratio() const { return verification / per_accepted(server); }
  double per_second() const { return static_cast<double>(load.accepted) / load.seconds; }
};
Cost measure(World& world, const LoadOptions& options, std::vector<pb::SignedCommand> commands);

// The program ends where any was refused or covered.
void must_all_be_accepted(const LoadResult& load);

}  // namespace windlass::bench
