// Who is connected, as far as that matters: fairness goes by connection, and one that sends too many bad
// signatures is shut out.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <mutex>
#include <string>

#include "ledger/sequencer/submission.h"

namespace windlass::api {

// Honest clients send none; each costs the server a verification (about 40 us of a core) and the client
// nothing.
constexpr std::int32_t max_bad_signatures = 100;
// Streams of one connection.
constexpr std::uint32_t max_streams = 256;
// Connections remembered; beyond it all are forgotten, and whoever misbehaves is counted afresh.
constexpr std::size_t max_clients = 100'000;

class Clients {
 public:
  // `peer` as gRPC names it: `ipv4:127.0.0.1:53211`. Ids are never 0.
  sequencer::ClientId id(const std::string& peer);
  // 0 or less: the connection is shut out.
  std::shared_ptr<sequencer::BadSignaturesLeft> bad_signatures_left(const std::string& peer);
  bool open_stream(const std::string& peer);  // false: it has too many
  void close_stream(const std::string& peer);

 private:
  struct Client {
    sequencer::ClientId id = 0;
    std::shared_ptr<sequencer::BadSignaturesLeft> bad_signatures_left =
        std::make_shared<sequencer::BadSignaturesLeft>(max_bad_signatures);
    std::uint32_t streams = 0;
  };
  Client& client(const std::string& peer);  // under mutex_
  std::mutex mutex_;
  absl::flat_hash_map<std::string, Client> clients_;
  sequencer::ClientId next_id_ = 1;
};

}  // namespace windlass::api
