#include "client/dev/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <fstream>
#include <thread>

namespace windlass::dev {
namespace {

constexpr std::chrono::milliseconds poll_interval{20};
constexpr int exit_not_started = 127;

// In the child, between fork and exec: system calls only, for other threads may have held any lock.
[[noreturn]] void become(const ProcessSpec& spec, char* const* arguments, int log, int error_pipe,
                         pid_t parent) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  int input = open("/dev/null", O_RDONLY);
  dup2(input, 0);
  dup2(log, 1);
  dup2(log, 2);
  bool dropped = !spec.user ||
                 (setgroups(0, nullptr) == 0 && setgid(spec.user->gid) == 0 && setuid(spec.user->uid) == 0);
  // After the change of user, which would clear it.
  prctl(PR_SET_PDEATHSIG, spec.orphan_signal);
  if (dropped && getppid() == parent) execv(arguments[0], arguments);
  int error = errno;
  [[maybe_unused]] auto told = write(error_pipe, &error, sizeof error);
  _exit(exit_not_started);
}

std::string system_error(int error) {
  return std::generic_category().message(error);
}

}  // namespace

std::optional<User> unprivileged_user() {
  if (geteuid() != 0) return std::nullopt;
  for (const char* name : {"postgres", "nobody"})
    if (const passwd* found = getpwnam(name)) return User{found->pw_uid, found->pw_gid, name};
  return std::nullopt;
}

tl::expected<Process, std::string> Process::start(const ProcessSpec& spec) {
  int log = open(spec.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0)
    return tl::unexpected(fmt::format("cannot write {}: {}", spec.log.string(), system_error(errno)));
  int told[2];
  if (pipe2(told, O_CLOEXEC) != 0) {
    close(log);
    return tl::unexpected(fmt::format("cannot start {}: {}", spec.name, system_error(errno)));
  }
  std::vector<char*> arguments;
  for (const auto& argument : spec.command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t parent = getpid();
  pid_t pid = fork();
  int error = errno;
  if (pid == 0) become(spec, arguments.data(), log, told[1], parent);
  close(log);
  close(told[1]);
  bool failed = pid < 0 || read(told[0], &error, sizeof error) == static_cast<ssize_t>(sizeof error);
  close(told[0]);
  if (pid > 0 && failed) waitpid(pid, nullptr, 0);
  if (failed)
    return tl::unexpected(
        fmt::format("cannot start {} ({}): {}", spec.name, spec.command.front(), system_error(error)));
  return Process(spec, pid);
}

Process::Process(Process&& other) noexcept
    : spec_(std::move(other.spec_)), pid_(other.pid_), ended_(other.ended_), status_(other.status_) {
  other.pid_ = -1;
}

Process::~Process() {
  if (pid_ < 0 || !running()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status_, 0);
}

bool Process::running() {
  if (!ended_ && waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return !ended_;
}

std::string Process::ending() const {
  if (WIFSIGNALED(status_)) return fmt::format("was killed by signal {}", WTERMSIG(status_));
  return fmt::format("exited with {}", WEXITSTATUS(status_));
}

void Process::stop(std::chrono::milliseconds patience) {
  if (!running()) return;
  kill(pid_, spec_.stop_signal);
  if (wait(patience)) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status_, 0);
  ended_ = true;
}

std::optional<int> Process::wait(std::chrono::milliseconds patience) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (running()) {
    if (std::chrono::steady_clock::now() >= until) return std::nullopt;
    std::this_thread::sleep_for(poll_interval);
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
}

tl::expected<void, std::string> run_program(const ProcessSpec& spec, std::chrono::milliseconds patience) {
  auto process = Process::start(spec);
  if (!process) return tl::unexpected(process.error());
  auto code = process->wait(patience);
  if (code && *code == 0) return {};
  return tl::unexpected(fmt::format("{} {}; the end of {}:\n{}", spec.name,
                                    code ? process->ending() : "did not end in time", spec.log.string(),
                                    log_tail(spec.log, 12)));
}

std::string log_tail(const std::filesystem::path& log, int lines) {
  std::ifstream in(log);
  std::deque<std::string> last;
  for (std::string line; std::getline(in, line);) {
    last.push_back("  " + line + "\n");
    if (last.size() > static_cast<std::size_t>(lines)) last.pop_front();
  }
  std::string out;
  for (const auto& line : last) out += line;
  return out;
}

bool is_free_port(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;  // as the servers do: what is left of closed connections is no hindrance
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  bool free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return free;
}

}  // namespace windlass::dev
