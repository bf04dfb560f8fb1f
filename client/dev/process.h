// Programs that `windlass dev` runs: each in its own process group (a Ctrl-C reaches them through us, in
// order), with its output in a file, and gone when we are gone, however we go.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace windlass::dev {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};
// Whom a program that refuses to run as root runs as; nothing when we are not root.
std::optional<User> unprivileged_user();

struct ProcessSpec {
  std::string name;  // for people and the log file
  std::vector<std::string> command;
  std::filesystem::path log;  // appended to
  std::optional<User> user;
  int stop_signal = SIGTERM;
  int orphan_signal = SIGKILL;  // sent by the system when we die without having stopped it
};

class Process {
 public:
  // The error says what kept it from starting.
  static tl::expected<Process, std::string> start(const ProcessSpec& spec);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();  // kills what stop() did not stop

  const std::string& name() const { return spec_.name; }
  const std::filesystem::path& log() const { return spec_.log; }
  pid_t pid() const { return pid_; }
  bool running();
  // How it ended, in words: "exited with 1", "was killed by signal 9". It has ended.
  std::string ending() const;
  // Asks it to stop, and kills it where it does not within `patience`.
  void stop(std::chrono::milliseconds patience);
  // Waits for its end; nothing when it takes longer. The exit code, -1 after a signal.
  std::optional<int> wait(std::chrono::milliseconds patience);

 private:
  Process(ProcessSpec spec, pid_t pid) : spec_(std::move(spec)), pid_(pid) {}
  ProcessSpec spec_;
  pid_t pid_ = -1;  // -1: moved from
  bool ended_ = false;
  int status_ = 0;
};

// Runs a program to its end. The error names it, its exit code and the last lines of its log.
tl::expected<void, std::string> run_program(const ProcessSpec& spec, std::chrono::milliseconds patience);

// Whether a server could listen there, on the loopback.
bool is_free_port(int port);

// The last `lines` lines of a log.
std::string log_tail(const std::filesystem::path& log, int lines);

}  // namespace windlass::dev
