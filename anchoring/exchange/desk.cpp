#include "anchoring/exchange/desk.h"

namespace windlass::anchoring {

bool Desk::post(Request request) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || waiting_.size() >= max_waiting_requests) return false;
    waiting_.push_back(std::move(request));
  }
  arrived_();
  return true;
}

std::optional<Desk::Request> Desk::next() {
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  auto request = std::move(waiting_.front());
  waiting_.pop_front();
  return request;
}

void Desk::serve(Exchange* exchange) {
  // Those that come meanwhile have their turn after the next step of the others.
  for (std::size_t i = 0; i < max_waiting_requests; ++i) {
    auto request = next();
    if (!request) return;
    (*request)(exchange);
  }
}

void Desk::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  serve(nullptr);
}

}  // namespace windlass::anchoring
