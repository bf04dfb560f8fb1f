// The least server that there could be, to tell what a machine leaves to any: no ledger, no database, no
// gRPC. It reads messages from a socket, verifies each one's signatures on all cores, writes as many bytes as
// its entries would have to a file, syncs that once for all messages that wait, and answers.
#pragma once

#include <filesystem>
#include <vector>

namespace windlass::bench {

struct Pace {
  std::size_t messages = 0, commands_a_message = 0;
  double commands_per_second = 0;
};

// Of each message, wall-clock seconds from when it falls due until its answer is there. A file is written to
// `directory` and removed.
std::vector<double> least_server_seconds(const std::filesystem::path& directory, const Pace& pace);

}  // namespace windlass::bench
