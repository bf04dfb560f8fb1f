#include "client/submit_stream.h"

namespace windlass::client {

SubmitStream::SubmitStream(Connection& connection, SubmitStreamOptions options, OnResult on_result)
    : connection_(connection), options_(options), on_result_(std::move(on_result)) {
  stream_ = connection_.stub<pb::Ledger::Stub>().SubmitStream(&context_);
  writer_ = std::thread([this] { write_all(); });
  reader_ = std::thread([this] { read_all(); });
}

SubmitStream::~SubmitStream() {
  if (!writer_.joinable()) return;
  fail_with({Failure::Kind::later, "the stream was given up", {}, {}});
  writer_.join();
  reader_.join();
  stream_->Finish();
}

bool SubmitStream::wait_for_room() {
  std::unique_lock lock(mutex_);
  wait(lock, [&] { return queued_.size() + unanswered_.size() < options_.window; });
  return !failure_;
}

bool SubmitStream::send(pb::SignedCommand command, std::uint64_t tag) {
  std::unique_lock lock(mutex_);
  wait(lock, [&] { return queued_.size() + unanswered_.size() < options_.window; });
  if (failure_) return false;
  queued_.emplace_back(std::move(command), tag);
  changed_.notify_all();
  return true;
}

Result<void> SubmitStream::finish() {
  {
    std::unique_lock lock(mutex_);
    wait(lock, [&] { return queued_.empty() && unanswered_.empty(); });
    closing_ = true;
    changed_.notify_all();
  }
  writer_.join();
  reader_.join();
  grpc::Status status = stream_->Finish();
  // The server's own reason is the better one; CANCELLED is only the echo of our giving up.
  if (!status.ok() && status.error_code() != grpc::StatusCode::CANCELLED)
    return tl::unexpected(connection_.with_address(failure_of(status)));
  if (failure_) return tl::unexpected(connection_.with_address(*failure_));
  return {};
}

template <typename Condition>
void SubmitStream::wait(std::unique_lock<std::mutex>& lock, Condition ready) {
  while (!failure_ && !ready()) {
    std::uint64_t before = answered_;
    auto woken = [&] { return failure_ || ready() || answered_ != before; };
    if (changed_.wait_for(lock, connection_.options().deadline, woken)) continue;
    lock.unlock();
    fail_with({Failure::Kind::later, "no answer within the deadline", {}, {}});
    lock.lock();
  }
}

void SubmitStream::fail_with(Failure failure) {
  std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
  context_.TryCancel();
  changed_.notify_all();
}

void SubmitStream::write_all() {
  for (;;) {
    pb::SubmitStreamRequest message;
    message.set_want_promises(options_.want_promises);
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return failure_ || closing_ || !queued_.empty(); });
      if (failure_ || queued_.empty()) break;
      while (!queued_.empty() &&
             static_cast<std::size_t>(message.commands_size()) < options_.commands_a_message) {
        *message.add_commands() = std::move(queued_.front().first);
        unanswered_.push_back(queued_.front().second);
        queued_.pop_front();
      }
    }
    if (!stream_->Write(message)) return;  // the reader learns why
  }
  stream_->WritesDone();
}

void SubmitStream::read_all() {
  pb::SubmitStreamResponse message;
  while (stream_->Read(&message)) {
    for (const auto& result : message.results()) {
      std::uint64_t tag;
      {
        std::lock_guard lock(mutex_);
        if (unanswered_.empty()) break;
        tag = unanswered_.front();
      }
      on_result_(tag, result);
      std::lock_guard lock(mutex_);
      unanswered_.pop_front();
      ++answered_;
      changed_.notify_all();
    }
  }
  std::unique_lock lock(mutex_);
  if (closing_ && unanswered_.empty()) return;
  lock.unlock();
  fail_with({Failure::Kind::later, "the server ended the stream", {}, {}});
}

}  // namespace windlass::client
