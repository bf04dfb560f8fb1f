#include "ops/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cassert>
#include <memory>
#include <mutex>

namespace windlass::ops {
namespace {

constexpr std::string_view level_names[] = {"debug", "info", "warning", "error"};
constexpr spdlog::level::level_enum spdlog_levels[] = {spdlog::level::debug, spdlog::level::info,
                                                       spdlog::level::warn, spdlog::level::err};

std::atomic<LogLevel> threshold{LogLevel::info};

struct Redirection {
  std::mutex mutex;
  std::function<void(LogLevel, const std::string&)> sink;
  std::atomic<bool> is_on{false};
};
Redirection& redirection() {
  static Redirection instance;
  return instance;
}

// Never destroyed: a thread may log while the process exits.
spdlog::logger& logger() {
  static auto* instance = [] {
    auto* made = new spdlog::logger("windlass", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("time=%Y-%m-%dT%H:%M:%S.%fZ %v", spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::debug);  // `threshold` decides
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

// Bare when a reader needs no quotes; control characters never reach the terminal.
void append_value(std::string& out, std::string_view value) {
  bool bare = !value.empty() && value.find_first_of(" =\"\\") == std::string_view::npos;
  for (char c : value) bare = bare && static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
  if (bare) {
    out += value;
    return;
  }
  out += '"';
  for (char c : value) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  out += '"';
}

void write(LogLevel level, std::string_view message, LogFields fields) {
  if (!is_logged(level)) return;
  std::string line = format_log_line(level, message, fields);
  Redirection& target = redirection();
  if (target.is_on) {
    std::lock_guard lock(target.mutex);
    if (target.sink) return target.sink(level, line);
  }
  logger().log(spdlog_levels[static_cast<int>(level)], spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

LogLevel parse_log_level(std::string_view name) {
  for (int i = 0; i < 4; ++i)
    if (level_names[i] == name) return static_cast<LogLevel>(i);
  assert(false && "not a log level");
  return LogLevel::info;
}

void set_log_level(LogLevel level) {
  threshold = level;
}
bool is_logged(LogLevel level) {
  return level >= threshold.load(std::memory_order_relaxed);
}

LogField::LogField(std::string_view name, double value) : key(name), text(fmt::format("{:.6g}", value)) {}

std::string format_log_line(LogLevel level, std::string_view message, LogFields fields) {
  std::string out = fmt::format("level={} msg=", level_names[static_cast<int>(level)]);
  append_value(out, message);
  for (const LogField& field : fields) {
    ((out += ' ') += field.key) += '=';
    append_value(out, field.text);
  }
  return out;
}

void redirect_log(std::function<void(LogLevel, const std::string&)> sink) {
  Redirection& target = redirection();
  std::lock_guard lock(target.mutex);
  target.is_on = static_cast<bool>(sink);
  target.sink = std::move(sink);
}

void log_debug(std::string_view message, LogFields fields) {
  write(LogLevel::debug, message, fields);
}
void log_info(std::string_view message, LogFields fields) {
  write(LogLevel::info, message, fields);
}
void log_warning(std::string_view message, LogFields fields) {
  write(LogLevel::warning, message, fields);
}
void log_error(std::string_view message, LogFields fields) {
  write(LogLevel::error, message, fields);
}

}  // namespace windlass::ops
