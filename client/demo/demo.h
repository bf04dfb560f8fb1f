// `windlass demo`: a recorded swarm, paid for block by block on a running development system, and proven to
// the last unit.
#pragma once

#include <functional>

#include "client/demo/trace.h"
#include "client/dev/settings.h"
#include "client/history.h"

namespace windlass::demo {

struct Options {
  std::int64_t units_per_byte = 1;
  double speed = 1;  // times the trace's pace; 0: as fast as it goes
};

// What a person sees while it runs.
struct Audience {
  std::function<void(const std::string& line)> say;
  // A long step begins; what it returns hears how far it is.
  std::function<client::OnProgress(const std::string& what)> begin;
};

struct PeerResult {
  std::uint32_t number = 0;
  std::string key;                                                // hex
  std::int64_t deposited = 0, paid = 0, earned = 0, balance = 0;  // ledger units
};
struct Report {
  std::vector<PeerResult> peers;
  std::uint64_t receipts = 0, accepted = 0, covered = 0;
  std::uint64_t entries = 0;  // that the demo wrote: credits, opens, claims, closes
  std::size_t channels = 0;
  double seconds = 0;             // of submitting
  double p50_ms = 0, p99_ms = 0;  // from sending a receipt to its acknowledgement
  std::int64_t total = 0;         // units that changed hands
  std::uint32_t verified_peer = 0;
  client::Verified verified;
};

// Fails where anything that it claims does not hold.
client::Result<Report> run(const dev::Settings& settings, const Trace& trace, const Options& options,
                           Audience audience);

}  // namespace windlass::demo
