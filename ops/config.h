// Configuration from one table. A program declares its options once; the table makes the TOML file's schema,
// the environment variables, the flags, --help, --check-config, --print-config and the reference page.
//
//   constexpr ops::Option options[] = {
//       ops::address("http.listen", "127.0.0.1:7380", "where the explorer listens"),
//       ops::secret("database.url", ops::required, "libpq connection string of the role windlass_server"),
//       ops::integer("sequencer.max_unflushed_entries", 1'000'000, {1'000, 100'000'000, "entries"}, "..."),
//   };
//   int main(int argc, char** argv) {
//     auto config = ops::configure({"windlassd", "the ledger server", options}, argc, argv);
//     if (!config) return config.error();
//     ops::Address listen = config->address("http.listen");
//
// A value comes from the flag `--http.listen=V`, else from the environment `WINDLASS_HTTP_LISTEN`, else from
// the file (`[http]`, `listen = V`), else it is the default. Every fault is reported, not only the first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace windlass::ops {

enum class OptionType { text, integer, boolean, address, path, secret, list };

struct Bounds {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view unit = "";  // for people: "ms", "entries"
};

// For a default: the option must be given.
struct Required {};
constexpr Required required{};

struct Default {
  constexpr Default(std::string_view value) : text(value) {}  // "" means not set; a getter then returns ""
  constexpr Default(const char* value) : text(value) {}
  constexpr Default(Required) : is_required(true) {}
  constexpr Default(bool value) : text(value ? "true" : "false") {}
  std::string_view text;
  bool is_required = false;
};

struct Option {
  std::string_view key;  // `section.name` or `section.sub.name`, lower case
  OptionType type = OptionType::text;
  Default fallback = "";
  std::int64_t integer_fallback = 0;
  Bounds bounds{};
  std::string_view choices = "";  // of a text: `debug|info|warning`; empty: anything
  std::string_view help;
};

constexpr Option text(std::string_view key, Default fallback, std::string_view help) {
  return {.key = key, .type = OptionType::text, .fallback = fallback, .help = help};
}
constexpr Option choice(std::string_view key, Default fallback, std::string_view choices,
                        std::string_view help) {
  return {.key = key, .type = OptionType::text, .fallback = fallback, .choices = choices, .help = help};
}
constexpr Option integer(std::string_view key, std::int64_t fallback, Bounds bounds, std::string_view help) {
  return {
      .key = key, .type = OptionType::integer, .integer_fallback = fallback, .bounds = bounds, .help = help};
}
constexpr Option integer(std::string_view key, Required, Bounds bounds, std::string_view help) {
  return {.key = key, .type = OptionType::integer, .fallback = required, .bounds = bounds, .help = help};
}
constexpr Option boolean(std::string_view key, Default fallback, std::string_view help) {
  return {.key = key, .type = OptionType::boolean, .fallback = fallback, .help = help};
}
// `host:port` or `[v6]:port`; port 0 lets the system choose.
constexpr Option address(std::string_view key, Default fallback, std::string_view help) {
  return {.key = key, .type = OptionType::address, .fallback = fallback, .help = help};
}
constexpr Option path(std::string_view key, Default fallback, std::string_view help) {
  return {.key = key, .type = OptionType::path, .fallback = fallback, .help = help};
}
// A text that --print-config masks and no fault repeats.
constexpr Option secret(std::string_view key, Default fallback, std::string_view help) {
  return {.key = key, .type = OptionType::secret, .fallback = fallback, .help = help};
}
// Texts: an array in the file, separated by commas elsewhere.
constexpr Option list(std::string_view key, Default fallback, std::string_view help) {
  return {.key = key, .type = OptionType::list, .fallback = fallback, .help = help};
}

class Config;

struct Program {
  std::string_view name;     // "windlassd"
  std::string_view summary;  // one line
  std::span<const Option> options;
  // Faults that no single option has: what belongs together, what a text must be. Asked where the table finds
  // none.
  std::vector<std::string> (*faults)(const Config& config) = nullptr;
};

struct Address {
  std::string host;
  std::uint16_t port = 0;
  std::string text() const;  // `host:port`, a v6 host in brackets
  bool is_loopback() const;  // 127.0.0.0/8, ::1 or localhost
  static std::optional<Address> parse(std::string_view text);
};

// Getters abort for a key that is not in the table or is of another type: that is a programmer's error.
class Config {
 public:
  const std::string& text(std::string_view key) const;  // text, path and secret
  std::int64_t integer(std::string_view key) const;
  bool boolean(std::string_view key) const;
  Address address(std::string_view key) const;
  std::optional<Address> optional_address(std::string_view key) const;  // nothing when not set
  std::filesystem::path path(std::string_view key) const;
  std::vector<std::string> list(std::string_view key) const;
  bool is_set(std::string_view key) const;  // not empty
  // The file that would give this configuration, with where each value is from; secrets masked.
  std::string print() const;

 private:
  friend class ConfigParser;
  struct Value {
    const Option* option = nullptr;
    std::string text;  // canonical; of a list: the items joined with commas
    std::string source;
  };
  const Value& value(std::string_view key) const;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string_view> order_;
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// `arguments` without the program's name. On failure every fault, each a sentence: where, what was wrong and
// what would be right. The table must outlive the answer.
tl::expected<Config, std::vector<std::string>> parse_config(
    std::span<const Option> options, const std::vector<std::string>& arguments,
    const Environment& environment = process_environment());

std::string variable_name(std::string_view key);  // WINDLASS_SECTION_KEY
std::string help_text(const Program& program);
std::string reference_page(const Program& program);  // Markdown

// What main() does first: parses, and answers --help, --version, --check-config, --print-config and
// --print-reference (Markdown) on stdout. The error is the exit code: 0 after one of those, 2 after faults
// (on stderr).
tl::expected<Config, int> configure(const Program& program, int argc, const char* const* argv);

std::string_view version();  // of the build: "0.1.0"

}  // namespace windlass::ops
