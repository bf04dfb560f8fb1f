#include "bench/least_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "bench/measure.h"
#include "ledger/sequencer/worker_thread.h"

namespace windlass::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Message = std::uint32_t;  // its number

constexpr std::size_t command_bytes = 230;  // of a signed transfer, as it is sent
constexpr std::size_t entry_bytes = 500;    // of a transfer in the database's log
// Written over and over, as a database writes over its log: a file that grows syncs slower.
constexpr std::size_t file_bytes = 16 << 20;

void must_be(bool done, const char* what) {
  if (!done) give_up(std::string("the least server cannot ") + what);
}

class File {
 public:
  explicit File(std::filesystem::path path)
      : path_(std::move(path)), file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600)) {
    std::string zeros(file_bytes, '\0');
    must_be(::pwrite(file_, zeros.data(), zeros.size(), 0) == static_cast<ssize_t>(zeros.size()), "write");
    must_be(::fsync(file_) == 0, "sync");
  }
  ~File() {
    ::close(file_);
    std::filesystem::remove(path_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void commit(const std::string& bytes) {
    if (end_ + bytes.size() > file_bytes) end_ = 0;
    auto written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(end_));
    must_be(written == static_cast<ssize_t>(bytes.size()), "write");
    must_be(::fdatasync(file_) == 0, "sync");
    end_ += bytes.size();
  }

 private:
  const std::filesystem::path path_;
  const int file_;
  std::size_t end_ = 0;
};

class LeastServer {
 public:
  LeastServer(const std::filesystem::path& directory, const Pace& pace)
      : commands_a_message_(pace.commands_a_message),
        file_(directory / "least-server"),
        shares_left_(pace.messages),
        committer_([this, messages = pace.messages] { commit(messages); }) {
    must_be(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends_) == 0, "open a socket");
    const std::size_t cores = std::thread::hardware_concurrency();
    for (auto& left : shares_left_) left = cores;
    for (std::size_t core = 0; core < cores; ++core)
      verifiers_.push_back(std::make_unique<Verifier>(
          "verifier", pace.messages,
          [this, core, cores](Message message) { verify_share(message, core, cores); }));
    reader_ = std::thread([this] { read(); });
  }
  ~LeastServer() {
    ::shutdown(ends_[0], SHUT_WR);
    reader_.join();
    committer_.join();
    verifiers_.clear();
    for (int end : ends_) ::close(end);
  }
  LeastServer(const LeastServer&) = delete;
  LeastServer& operator=(const LeastServer&) = delete;

  void send(Message message) {
    std::string bytes(commands_a_message_ * command_bytes, '\0');
    std::memcpy(bytes.data(), &message, sizeof(message));
    must_be(::send(ends_[0], bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
            "be sent to");
  }
  Message answered() {  // waits for an answer
    Message message = 0;
    must_be(::recv(ends_[0], &message, sizeof(message), 0) == sizeof(message), "be read from");
    return message;
  }

 private:
  using Verifier = sequencer::WorkerThread<Message>;

  void read() {
    std::string bytes(commands_a_message_ * command_bytes, '\0');
    while (::recv(ends_[1], bytes.data(), bytes.size(), 0) > 0) {
      Message message = 0;
      std::memcpy(&message, bytes.data(), sizeof(message));
      for (auto& verifier : verifiers_) verifier->push(message);
    }
  }
  void verify_share(Message message, std::size_t core, std::size_t cores) {
    for (std::size_t i = core; i < commands_a_message_; i += cores)
      verify(signed_[(message * commands_a_message_ + i) % signed_.size()]);
    if (--shares_left_[message] > 0) return;
    {
      std::lock_guard lock(mutex_);
      verified_.push_back(message);
    }
    some_are_verified_.notify_one();
  }
  void commit(std::size_t messages) {
    while (messages > 0) {
      std::vector<Message> batch;
      {
        std::unique_lock lock(mutex_);
        some_are_verified_.wait(lock, [&] { return !verified_.empty(); });
        batch.swap(verified_);
      }
      file_.commit(std::string(batch.size() * commands_a_message_ * entry_bytes, 'e'));
      for (Message message : batch)
        must_be(::send(ends_[1], &message, sizeof(message), 0) == sizeof(message), "answer");
      messages -= batch.size();
    }
  }

  const std::size_t commands_a_message_;
  const std::vector<Signed> signed_ = sign_each(different_signatures);
  File file_;
  int ends_[2] = {-1, -1};  // the client's, the server's
  std::vector<std::atomic<std::size_t>> shares_left_;
  std::mutex mutex_;
  std::condition_variable some_are_verified_;
  std::vector<Message> verified_;
  std::vector<std::unique_ptr<Verifier>> verifiers_;
  std::thread committer_, reader_;
};

}  // namespace

std::vector<double> least_server_seconds(const std::filesystem::path& directory, const Pace& pace) {
  LeastServer server(directory, pace);
  const double per_second = pace.commands_per_second / static_cast<double>(pace.commands_a_message);
  const auto started = Clock::now();
  auto due = [&](Message message) { return due_at(started, message, per_second); };
  std::vector<double> took(pace.messages);
  std::thread client([&] {
    for (std::size_t i = 0; i < pace.messages; ++i) {
      Message message = server.answered();
      took[message] = std::chrono::duration<double>(Clock::now() - due(message)).count();
    }
  });
  for (Message message = 0; message < pace.messages; ++message) {
    std::this_thread::sleep_until(due(message));
    server.send(message);
  }
  client.join();
  return took;
}

}  // namespace windlass::bench
