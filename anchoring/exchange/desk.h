// Hands what the listener's threads are asked to the one thread that owns session, chain and database.
#pragma once

#include <deque>
#include <functional>
#include <mutex>

#include "anchoring/exchange/exchange.h"

namespace windlass::anchoring {

// Each waits for a step of the others in the thread, and costs some calls itself.
constexpr std::size_t max_waiting_requests = 256;

class Desk {
 public:
  // What it is called with is null where nobody can answer: the process stands by, or ends. What it throws
  // ends the session.
  using Request = std::function<void(Exchange*)>;
  // `arrived` is called after each request, on the thread that posts it.
  explicit Desk(std::function<void()> arrived) : arrived_(std::move(arrived)) {}

  // Any thread. False: too many wait; it is not called.
  bool post(Request request);
  // The owner's thread: what waits is answered, in its order.
  void serve(Exchange* exchange);
  // Answers what waits, and takes nothing more.
  void close();

 private:
  std::optional<Request> next();

  std::function<void()> arrived_;
  std::mutex mutex_;
  std::deque<Request> waiting_;
  bool closed_ = false;
};

}  // namespace windlass::anchoring
