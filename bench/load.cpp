#include "bench/load.h"

#include <grpcpp/grpcpp.h>
#include <windlass/v1/ledger.grpc.pb.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "bench/measure.h"
#include "client/connection.h"

namespace windlass::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto deadline = std::chrono::minutes(10);

void count(LoadResult& into, const pb::SubmitResult& result) {
  if (result.has_accepted())
    ++into.accepted;
  else if (result.has_covered())
    ++into.covered;
  else
    ++(result.rejected().retry() ? into.to_be_retried : into.rejected)[result.rejected().reason()];
}

void merge(LoadResult& into, const LoadResult& from) {
  into.accepted += from.accepted;
  into.covered += from.covered;
  for (const auto& [reason, times] : from.rejected) into.rejected[reason] += times;
  for (const auto& [reason, times] : from.to_be_retried) into.to_be_retried[reason] += times;
  into.latencies.insert(into.latencies.end(), from.latencies.begin(), from.latencies.end());
}

// What is to be sent, message by message: taken by whoever has room.
class Messages {
 public:
  Messages(std::vector<pb::SignedCommand> commands, std::size_t in_each) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      if (i % in_each == 0) all_.emplace_back();
      *all_.back().add_commands() = std::move(commands[i]);
    }
  }
  pb::SubmitStreamRequest* next() {
    std::size_t place = next_.fetch_add(1);
    return place < all_.size() ? &all_[place] : nullptr;
  }
  std::size_t size() const { return all_.size(); }

 private:
  std::deque<pb::SubmitStreamRequest> all_;
  std::atomic<std::size_t> next_{0};
};

// One stream. It takes messages by itself while fewer than `window` are unanswered; of window 0 it sends what
// it is given.
class Stream final : public grpc::ClientBidiReactor<pb::SubmitStreamRequest, pb::SubmitStreamResponse> {
 public:
  Stream(pb::Ledger::Stub& stub, Messages& messages, std::size_t window, bool may_break)
      : messages_(messages), window_(window), may_break_(may_break) {
    context_.set_deadline(std::chrono::system_clock::now() + deadline);
    stub.async()->SubmitStream(&context_, this);
  }

  void start() {
    StartRead(&response_);
    // What starts outside of the call's reactions needs a hold: the call could end, and free itself,
    // meanwhile.
    AddHold();
    StartCall();
    refill();
    if (window_ > 0) RemoveHold();
  }
  // From outside, in the paced case.
  void give(pb::SubmitStreamRequest* message) {
    std::lock_guard lock(mutex_);
    queued_.push_back(message);
    write_next();
  }
  void no_more() {
    {
      std::lock_guard lock(mutex_);
      no_more_ = true;
      end_when_answered();
    }
    RemoveHold();
  }
  const LoadResult& wait() {
    std::unique_lock lock(mutex_);
    done_changed_.wait(lock, [&] { return done_; });
    if (!status_.ok() && !may_break_) give_up("a stream broke: " + client::failure_of(status_).message);
    return result_;
  }

 private:
  struct UnderWay {
    SteadyClock::time_point sent;
    int unanswered;
  };

  void refill() {
    if (window_ == 0) return;
    std::lock_guard lock(mutex_);
    while (!no_more_ && queued_.size() + under_way_.size() < window_) {
      auto* message = messages_.next();
      if (!message)
        no_more_ = true;
      else
        queued_.push_back(message);
    }
    write_next();
    end_when_answered();
  }
  void write_next() {
    if (writing_ || queued_.empty()) return;
    writing_ = true;
    auto* message = queued_.front();
    queued_.pop_front();
    under_way_.push_back({SteadyClock::now(), message->commands_size()});
    StartWrite(message);
  }
  void end_when_answered() {
    if (!no_more_ || ended_ || writing_ || !queued_.empty() || !under_way_.empty()) return;
    ended_ = true;
    StartWritesDone();
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) return;
    write_next();
    end_when_answered();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      std::lock_guard lock(mutex_);
      auto now = SteadyClock::now();
      for (const auto& answer : response_.results()) {
        if (under_way_.empty()) give_up("an answer to nothing");
        auto& oldest = under_way_.front();
        result_.latencies.push_back(std::chrono::duration<float>(now - oldest.sent).count());
        count(result_, answer);
        if (--oldest.unanswered == 0) under_way_.pop_front();
      }
      end_when_answered();
    }
    StartRead(&response_);
    refill();
  }
  void OnDone(const grpc::Status& status) override {
    std::lock_guard lock(mutex_);
    status_ = status;
    done_ = true;
    done_changed_.notify_all();
  }

  Messages& messages_;
  const std::size_t window_;
  const bool may_break_;
  grpc::ClientContext context_;
  pb::SubmitStreamResponse response_;
  std::mutex mutex_;
  std::condition_variable done_changed_;
  std::deque<pb::SubmitStreamRequest*> queued_;
  std::deque<UnderWay> under_way_;
  bool writing_ = false, no_more_ = false, ended_ = false, done_ = false;
  grpc::Status status_;
  LoadResult result_;
};

// Hands them out at their rate: what falls due together leaves as one message.
void pace(std::vector<std::unique_ptr<Stream>>& streams, Messages& messages, double messages_per_second) {
  auto started = SteadyClock::now();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    std::this_thread::sleep_until(due_at(started, i, messages_per_second));
    streams[i % streams.size()]->give(messages.next());
  }
  for (auto& stream : streams) stream->no_more();
}

LoadResult send_by_stream(const LoadOptions& options,
                          const std::vector<std::unique_ptr<pb::Ledger::Stub>>& stubs,
                          std::vector<pb::SignedCommand> commands) {
  Messages messages(std::move(commands), options.commands_a_message);
  bool paced = options.commands_per_second > 0;
  std::size_t window =
      paced ? 0 : std::max<std::size_t>(1, options.in_flight / options.commands_a_message / options.streams);
  std::vector<std::unique_ptr<Stream>> streams;
  for (std::size_t i = 0; i < options.streams; ++i)
    streams.push_back(
        std::make_unique<Stream>(*stubs[i % stubs.size()], messages, window, options.may_break));
  for (auto& stream : streams) stream->start();
  if (paced)
    pace(streams, messages, options.commands_per_second / static_cast<double>(options.commands_a_message));
  LoadResult all;
  for (auto& stream : streams) merge(all, stream->wait());
  return all;
}

LoadResult send_alone(pb::Ledger::Stub& stub, const std::vector<pb::SignedCommand>& commands) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + deadline);
  auto stream = stub.SubmitStream(&context);
  pb::SubmitStreamRequest request;
  pb::SubmitStreamResponse response;
  LoadResult result;
  for (const auto& command : commands) {
    request.Clear();
    *request.add_commands() = command;
    Stopwatch watch;
    if (!stream->Write(request) || !stream->Read(&response) || response.results_size() != 1)
      give_up("a stream broke: " + client::failure_of(stream->Finish()).message);
    result.latencies.push_back(static_cast<float>(watch.seconds()));
    count(result, response.results(0));
  }
  stream->WritesDone();
  stream->Finish();
  return result;
}

// So many calls under way; each that ends begins the next.
class UnaryCalls {
 public:
  UnaryCalls(pb::Ledger::Stub& stub, std::vector<pb::SignedCommand> commands) : stub_(stub) {
    for (auto& command : commands) *requests_.emplace_back().mutable_command() = std::move(command);
  }
  LoadResult run(std::size_t in_flight) {
    left_ = requests_.size();
    for (std::size_t i = 0; i < in_flight; ++i) begin_next();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return left_ == 0; });
    return std::move(result_);
  }

 private:
  struct One {
    grpc::ClientContext context;
    pb::SubmitResponse response;
    SteadyClock::time_point sent = SteadyClock::now();
  };

  void begin_next() {
    std::size_t place = next_.fetch_add(1);
    if (place >= requests_.size()) return;
    auto* call = new One;
    call->context.set_deadline(std::chrono::system_clock::now() + deadline);
    stub_.async()->Submit(
        &call->context, &requests_[place], &call->response,
        [this, call](const grpc::Status& status) { finish(std::unique_ptr<One>(call), status); });
  }
  void finish(std::unique_ptr<One> call, const grpc::Status& status) {
    begin_next();
    auto took = SteadyClock::now() - call->sent;
    bool is_covered = call->response.has_covered();
    // Before it counts as answered: the context holds the channel, and gRPC's own thread must not be the one
    // to let go of the last, whose end waits for that thread.
    call.reset();
    std::lock_guard lock(mutex_);
    result_.latencies.push_back(std::chrono::duration<float>(took).count());
    if (status.ok()) {
      ++(is_covered ? result_.covered : result_.accepted);
    } else {
      auto failure = client::failure_of(status);
      bool later = failure.kind == client::Failure::Kind::later;
      ++(later ? result_.to_be_retried : result_.rejected)[failure.reason];
    }
    if (--left_ == 0) changed_.notify_all();
  }

  pb::Ledger::Stub& stub_;
  std::deque<pb::SubmitRequest> requests_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t left_ = 0;
  LoadResult result_;
};

}  // namespace

std::uint64_t LoadResult::refused() const {
  std::uint64_t all = 0;
  for (const auto* reasons : {&rejected, &to_be_retried})
    for (const auto& [reason, times] : *reasons) all += times;
  return all;
}

LoadResult send(const LoadOptions& options, std::vector<pb::SignedCommand> commands) {
  std::vector<std::unique_ptr<pb::Ledger::Stub>> stubs;
  for (std::size_t i = 0; i < options.connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else equal channels share a connection
    auto channel = grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10)))
      give_up("nobody answers at " + options.address);
    stubs.push_back(pb::Ledger::NewStub(channel));
  }
  Stopwatch watch;
  LoadResult result;
  switch (options.call) {
    case Call::stream:
      result = send_by_stream(options, stubs, std::move(commands));
      break;
    case Call::unary:
      result = UnaryCalls(*stubs[0], std::move(commands)).run(options.in_flight);
      break;
    case Call::alone:
      result = send_alone(*stubs[0], commands);
      break;
  }
  result.seconds = watch.seconds();
  return result;
}

}  // namespace windlass::bench
