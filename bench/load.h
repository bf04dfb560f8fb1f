// Signed commands, sent as many at a time as wished, and what came back.
#pragma once

#include <windlass/v1/ledger.pb.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace windlass::bench {

namespace pb = windlass::v1;

enum class Call {
  stream,
  unary,
  alone,  // on one stream, each command after the answer to the one before
};

struct LoadOptions {
  std::string address;
  Call call = Call::stream;
  std::size_t connections = 1;
  std::size_t streams = 4;  // of all connections
  std::size_t commands_a_message = 64;
  // Unanswered, of all streams together; a stream has at least one message under way.
  std::size_t in_flight = 2048;
  // Where above zero: messages leave at this rate, answered or not.
  double commands_per_second = 0;
  bool may_break = false;  // the server dies under it: what was answered until then counts
};

struct LoadResult {
  std::uint64_t accepted = 0, covered = 0;
  std::map<std::string, std::uint64_t> rejected;  // by reason, or by the call's status
  std::map<std::string, std::uint64_t> to_be_retried;
  std::vector<float> latencies;  // seconds, one for each answer
  double seconds = 0;            // from the first sent to the last answered

  std::uint64_t refused() const;
};

// Returns when all are answered. Ends the program where a stream breaks.
LoadResult send(const LoadOptions& options, std::vector<pb::SignedCommand> commands);

}  // namespace windlass::bench
