// Structured log lines on stderr (logfmt): `time=... level=info msg="server is up" listen=127.0.0.1:7301`.
// Never log a secret: key material, passphrases, connection strings, signed command bytes.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace windlass::ops {

enum class LogLevel { debug, info, warning, error };
constexpr std::string_view log_levels = "debug|info|warning|error";  // for a configuration table
LogLevel parse_log_level(std::string_view name);                     // one of log_levels
void set_log_level(LogLevel level);
bool is_logged(LogLevel level);

// One `key=value`; keys are constants in snake_case.
struct LogField {
  LogField(std::string_view name, std::string_view value) : key(name), text(value) {}
  LogField(std::string_view name, const char* value) : key(name), text(value) {}
  LogField(std::string_view name, const std::string& value) : key(name), text(value) {}
  LogField(std::string_view name, bool value) : key(name), text(value ? "true" : "false") {}
  LogField(std::string_view name, double value);
  template <std::integral Integer>
  LogField(std::string_view name, Integer value) : key(name), text(std::to_string(value)) {}

  std::string_view key;
  std::string text;
};
using LogFields = std::initializer_list<LogField>;

void log_debug(std::string_view message, LogFields fields = {});
void log_info(std::string_view message, LogFields fields = {});
void log_warning(std::string_view message, LogFields fields = {});
void log_error(std::string_view message, LogFields fields = {});

// The line without its time, as it is written.
std::string format_log_line(LogLevel level, std::string_view message, LogFields fields);
// Sends lines (with their level) elsewhere, for a test; an empty function sends them to stderr again.
void redirect_log(std::function<void(LogLevel, const std::string& line)> sink);

}  // namespace windlass::ops
