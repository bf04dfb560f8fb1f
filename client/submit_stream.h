// Many commands over one SubmitStream: pipelined, at most a window of them unanswered, answers in order.
//
// send() queues; a thread writes whatever has queued up as one message, so a fast sender's messages grow and
// a slow sender's command leaves at once. Another thread reads the answers and hands them to the callback.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

#include "client/connection.h"

namespace windlass::client {

struct SubmitStreamOptions {
  std::size_t window = 512;  // unanswered commands: bounds memory and what a lost stream leaves open
  std::size_t commands_a_message = 64;  // beyond this a command gets little cheaper
  bool want_promises = false;
};

class SubmitStream {
 public:
  // `tag` is what send() was given with the command. Called from the reading thread, one at a time.
  using OnResult = std::function<void(std::uint64_t tag, const pb::SubmitResult& result)>;

  SubmitStream(Connection& connection, SubmitStreamOptions options, OnResult on_result);
  ~SubmitStream();  // cancels what finish() did not wait for
  SubmitStream(const SubmitStream&) = delete;
  SubmitStream& operator=(const SubmitStream&) = delete;

  // Waits while the window is full: what send() does first, for who wants to know when it was really sent.
  bool wait_for_room();
  // Waits while the window is full. False once the stream has failed: finish() says why.
  bool send(pb::SignedCommand command, std::uint64_t tag);
  // Waits for all answers. A failure leaves the unanswered commands in doubt: send them again, they are
  // idempotent.
  Result<void> finish();

 private:
  void write_all();
  void read_all();
  // Waits for `ready`, which must come within the deadline unless answers keep coming meanwhile.
  template <typename Condition>
  void wait(std::unique_lock<std::mutex>& lock, Condition ready);
  void fail_with(Failure failure);

  Connection& connection_;
  SubmitStreamOptions options_;
  OnResult on_result_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<pb::SubmitStreamRequest, pb::SubmitStreamResponse>> stream_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<pb::SignedCommand, std::uint64_t>> queued_;
  std::deque<std::uint64_t> unanswered_;  // tags of what was written
  std::uint64_t answered_ = 0;
  bool closing_ = false;  // nothing more will be sent
  std::optional<Failure> failure_;
  std::thread writer_, reader_;
};

}  // namespace windlass::client
