#include "api/grpc/clients.h"

namespace windlass::api {
Clients::Client& Clients::client(const std::string& peer) {
  if (clients_.size() >= max_clients && !clients_.contains(peer)) clients_.clear();
  auto [it, is_new] = clients_.try_emplace(peer);
  if (is_new) it->second.id = next_id_++;
  return it->second;
}

sequencer::ClientId Clients::id(const std::string& peer) {
  std::lock_guard lock(mutex_);
  return client(peer).id;
}

std::shared_ptr<sequencer::BadSignaturesLeft> Clients::bad_signatures_left(const std::string& peer) {
  std::lock_guard lock(mutex_);
  return client(peer).bad_signatures_left;
}

bool Clients::open_stream(const std::string& peer) {
  std::lock_guard lock(mutex_);
  auto& streams = client(peer).streams;
  if (streams >= max_streams) return false;
  ++streams;
  return true;
}

void Clients::close_stream(const std::string& peer) {
  std::lock_guard lock(mutex_);
  auto it = clients_.find(peer);
  if (it != clients_.end() && it->second.streams > 0) --it->second.streams;
}

}  // namespace windlass::api
