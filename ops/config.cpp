#include "ops/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <set>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace windlass::ops {
namespace {

constexpr std::string_view masked = "********";
constexpr std::size_t max_suggestion_distance = 3;  // beyond it, a suggestion is noise

const std::pair<std::string_view, std::string_view> built_in_flags[] = {
    {"--config FILE", "read options from FILE (TOML)"},
    {"--check-config", "name every fault of the configuration and exit"},
    {"--print-config", "print the configuration that holds, secrets masked, and exit"},
    {"--print-reference", "print this table as Markdown and exit"},
    {"--help", "print this and exit"},
    {"--version", "print the version and exit"},
};

std::string_view type_name(OptionType type) {
  switch (type) {
    case OptionType::text:
      return "text";
    case OptionType::integer:
      return "integer";
    case OptionType::boolean:
      return "true or false";
    case OptionType::address:
      return "host:port";
    case OptionType::path:
      return "path";
    case OptionType::secret:
      return "secret text";
    case OptionType::list:
      return "list of texts";
  }
  return "";
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    auto end = std::min(text.find(separator), text.size());
    auto item = text.substr(0, end);
    item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
    item = item.substr(0, item.find_last_not_of(' ') + 1);
    if (!item.empty()) out.emplace_back(item);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string default_text(const Option& option) {
  if (option.fallback.is_required) return "";
  if (option.type == OptionType::integer) return std::to_string(option.integer_fallback);
  return std::string(option.fallback.text);
}

// `integer (ms), 1 to 60000`
std::string constraint_text(const Option& option) {
  std::string out(type_name(option.type));
  if (!option.choices.empty()) out = fmt::format("one of {}", fmt::join(split(option.choices, '|'), ", "));
  if (option.type != OptionType::integer) return out;
  const Bounds& bounds = option.bounds;
  if (!bounds.unit.empty()) out += fmt::format(" ({})", bounds.unit);
  bool below = bounds.max != std::numeric_limits<std::int64_t>::max();
  if (below) return out + fmt::format(", {} to {}", bounds.min, bounds.max);
  if (bounds.min != std::numeric_limits<std::int64_t>::min())
    return out + fmt::format(", at least {}", bounds.min);
  return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool fits_type(const Option& option, std::string_view text) {
  switch (option.type) {
    case OptionType::integer: {
      auto value = parse_integer(text);
      return value && *value >= option.bounds.min && *value <= option.bounds.max;
    }
    case OptionType::boolean:
      return text == "true" || text == "false";
    case OptionType::address:
      return text.empty() || Address::parse(text).has_value();
    case OptionType::text: {
      if (option.choices.empty()) return true;
      auto choices = split(option.choices, '|');
      return std::find(choices.begin(), choices.end(), text) != choices.end();
    }
    default:
      return true;
  }
}

// Levenshtein's.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      std::size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

std::string toml_value(const Option& option, const std::string& text) {
  if (option.type == OptionType::secret) return toml_string(text.empty() ? "" : masked);
  if (option.type == OptionType::integer || option.type == OptionType::boolean) return text;
  if (option.type != OptionType::list) return toml_string(text);
  std::vector<std::string> items = split(text, ',');
  for (std::string& item : items) item = toml_string(item);
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string escape_markdown(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

// Takes values in the order file, environment, flags (later ones replace earlier ones) and gathers faults.
class ConfigParser {
 public:
  explicit ConfigParser(std::span<const Option> options) : options_(options) {
    std::set<std::string> variables;
    for (const Option& option : options) {
      bool is_new = variables.insert(variable_name(option.key)).second;
      assert(is_new && option.key.find('.') != std::string_view::npos);
      config_.order_.push_back(option.key);
      config_.values_[std::string(option.key)] = {&option, default_text(option), "default"};
    }
  }

  void read_file(const std::string& file) {
    toml::parse_result parsed = toml::parse_file(file);
    if (!parsed) {
      const toml::parse_error& error = parsed.error();
      // toml++ names a line only where the fault is in the text; a file that cannot be read has none.
      auto line = error.source().begin.line;
      return fault(line ? fmt::format("{}:{}: {}", file, line, error.description())
                        : fmt::format("{}: cannot be read; name an existing TOML file", file));
    }
    read_table(file, "", parsed.table());
  }

  void read_environment(const Environment& environment) {
    for (const Option& option : options_) {
      std::string name = variable_name(option.key);
      if (auto text = environment(name)) set(name, option, *text);
    }
  }

  // `argument` is `--section.key=value`; a boolean's value may be left out.
  void read_flag(const std::string& argument) {
    auto equals = argument.find('=');
    std::string key = argument.substr(0, equals);
    if (!key.starts_with("--"))
      return fault(fmt::format("{}: not an option; options begin with --", argument));
    const Option* option = find("the command line", key.substr(2));
    if (!option) return;
    if (equals != std::string::npos) return set(key, *option, argument.substr(equals + 1));
    if (option->type == OptionType::boolean) return set(key, *option, "true");
    fault(fmt::format("{}: has no value; write {}=VALUE", key, key));
  }

  tl::expected<Config, std::vector<std::string>> finish() {
    for (const Option& option : options_) {
      if (option.fallback.is_required && config_.values_[std::string(option.key)].text.empty() &&
          !faulty_.contains(std::string(option.key)))
        fault(fmt::format("{} is not set: {}; set it in the file, as {} or as --{}=VALUE", option.key,
                          option.help, variable_name(option.key), option.key));
    }
    if (!faults_.empty()) return tl::unexpected(std::move(faults_));
    return std::move(config_);
  }

  void fault(std::string text) { faults_.push_back(std::move(text)); }

 private:
  void read_table(const std::string& file, const std::string& prefix, const toml::table& table) {
    for (const auto& [name, node] : table) {
      std::string key = prefix + std::string(name.str());
      std::string where = fmt::format("{}:{}", file, node.source().begin.line);
      if (const toml::table* inner = node.as_table(); inner && is_section(key)) {
        read_table(file, key + ".", *inner);
      } else if (const Option* option = find(where, key)) {
        if (auto text = node_text(*option, node))
          set(where, *option, *text);
        else
          refuse(where, *option);
      }
    }
  }

  bool is_section(const std::string& key) const {
    return std::any_of(options_.begin(), options_.end(),
                       [&](const Option& option) { return option.key.starts_with(key + "."); });
  }

  // The node as the same text a flag would carry; nothing when its TOML type is not the option's.
  static std::optional<std::string> node_text(const Option& option, const toml::node& node) {
    if (option.type == OptionType::integer) {
      if (auto value = node.value_exact<std::int64_t>()) return std::to_string(*value);
      return std::nullopt;
    }
    if (option.type == OptionType::boolean) {
      if (auto value = node.value_exact<bool>()) return *value ? "true" : "false";
      return std::nullopt;
    }
    if (option.type != OptionType::list) return node.value_exact<std::string>();
    const toml::array* array = node.as_array();
    if (!array) return std::nullopt;
    std::vector<std::string> items;
    for (const toml::node& item : *array) {
      auto text = item.value_exact<std::string>();
      if (!text || text->find(',') != std::string::npos) return std::nullopt;
      items.push_back(*text);
    }
    return fmt::format("{}", fmt::join(items, ","));
  }

  const Option* find(const std::string& where, const std::string& key) {
    const Option* nearest = nullptr;
    std::size_t best = max_suggestion_distance + 1;
    for (const Option& option : options_) {
      if (option.key == key) return &option;
      if (std::size_t distance = edit_distance(option.key, key); distance < best) {
        best = distance;
        nearest = &option;
      }
    }
    fault(fmt::format("{}: there is no option {}{}", where, key,
                      nearest ? fmt::format("; did you mean {}?", nearest->key) : "; --help lists all"));
    return nullptr;
  }

  void set(const std::string& where, const Option& option, const std::string& text) {
    if (!fits_type(option, text)) return refuse(where, option, text);
    auto& value = config_.values_[std::string(option.key)];
    value.text = text;
    value.source = where;
  }

  void refuse(const std::string& where, const Option& option, std::optional<std::string> text = {}) {
    faulty_.insert(std::string(option.key));
    fault(fmt::format("{}: {}{} is not right: it takes {}", where, option.key,
                      text ? fmt::format(" = {}", toml_string(*text)) : "", constraint_text(option)));
  }

  std::span<const Option> options_;
  Config config_;
  std::vector<std::string> faults_;
  std::set<std::string> faulty_;  // options with a value that was refused: not also reported as missing
};

std::string Address::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

bool Address::is_loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::optional<Address> Address::parse(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  auto port = parse_integer(text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65'535) return std::nullopt;
  bool bracketed = host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_of("[] /") != std::string_view::npos) return std::nullopt;
  if (!bracketed && host.find(':') != std::string_view::npos) return std::nullopt;
  return Address{std::string(host), static_cast<std::uint16_t>(*port)};
}

const Config::Value& Config::value(std::string_view key) const {
  auto found = values_.find(key);
  assert(found != values_.end() && "no such option in the table");
  return found->second;
}

const std::string& Config::text(std::string_view key) const {
  const Value& found = value(key);
  assert(found.option->type == OptionType::text || found.option->type == OptionType::path ||
         found.option->type == OptionType::secret);
  return found.text;
}

std::int64_t Config::integer(std::string_view key) const {
  const Value& found = value(key);
  assert(found.option->type == OptionType::integer);
  return *parse_integer(found.text);
}

bool Config::boolean(std::string_view key) const {
  const Value& found = value(key);
  assert(found.option->type == OptionType::boolean);
  return found.text == "true";
}

Address Config::address(std::string_view key) const {
  auto parsed = optional_address(key);
  assert(parsed && "an address without a default may be absent: ask for optional_address");
  return *parsed;
}

std::optional<Address> Config::optional_address(std::string_view key) const {
  const Value& found = value(key);
  assert(found.option->type == OptionType::address);
  return Address::parse(found.text);
}

std::filesystem::path Config::path(std::string_view key) const {
  assert(value(key).option->type == OptionType::path);
  return value(key).text;
}

std::vector<std::string> Config::list(std::string_view key) const {
  assert(value(key).option->type == OptionType::list);
  return split(value(key).text, ',');
}

bool Config::is_set(std::string_view key) const {
  return !value(key).text.empty();
}

std::string Config::print() const {
  std::string out, section;
  for (std::string_view key : order_) {
    const Value& found = value(key);
    auto dot = key.rfind('.');
    if (key.substr(0, dot) != section) {
      section = key.substr(0, dot);
      out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
    }
    out += fmt::format("{} = {}  # {}\n", key.substr(dot + 1), toml_value(*found.option, found.text),
                       found.source);
  }
  return out;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* text = std::getenv(name.c_str());
    if (!text) return std::nullopt;
    return std::string(text);
  };
}

namespace {

// Arguments that are not options of the table.
struct BuiltIn {
  std::optional<std::string> file;
  std::set<std::string> actions;
  std::vector<std::string> flags;  // the rest
  std::vector<std::string> faults;
};

BuiltIn take_built_in(const std::vector<std::string>& arguments) {
  BuiltIn out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    bool is_action = argument == "--help" || argument == "--version" || argument == "--check-config" ||
                     argument == "--print-config" || argument == "--print-reference";
    if (is_action)
      out.actions.insert(argument);
    else if (argument.starts_with("--config="))
      out.file = argument.substr(9);
    else if (argument == "--config" && i + 1 < arguments.size())
      out.file = arguments[++i];
    else if (argument == "--config")
      out.faults.emplace_back("--config: has no value; write --config FILE");
    else
      out.flags.push_back(argument);
  }
  return out;
}

void print_text(std::FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
}

}  // namespace

tl::expected<Config, std::vector<std::string>> parse_config(std::span<const Option> options,
                                                            const std::vector<std::string>& arguments,
                                                            const Environment& environment) {
  BuiltIn built_in = take_built_in(arguments);
  ConfigParser parser(options);
  for (std::string& fault : built_in.faults) parser.fault(std::move(fault));
  if (built_in.file) parser.read_file(*built_in.file);
  parser.read_environment(environment);
  for (const std::string& flag : built_in.flags) parser.read_flag(flag);
  return parser.finish();
}

std::string variable_name(std::string_view key) {
  std::string out = "WINDLASS_";
  for (char c : key)
    out += c == '.' || c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

std::string help_text(const Program& program) {
  std::string out = fmt::format("{}: {}\n\nUsage: {} --config FILE [--section.key=value ...]\n\n",
                                program.name, program.summary, program.name);
  for (const auto& [flag, help] : built_in_flags) out += fmt::format("  {:<20} {}\n", flag, help);
  out +=
      "\nEvery option may stand in the file (`key = value` under `[section]`), in the environment\n"
      "(WINDLASS_SECTION_KEY) or on the command line, which wins over the environment, which wins over the "
      "file.\n\n";
  for (const Option& option : program.options) {
    std::string fallback =
        option.fallback.is_required ? "required" : fmt::format("default {}", default_text(option));
    if (!option.fallback.is_required && default_text(option).empty()) fallback = "not set by default";
    out += fmt::format("  --{}=VALUE\n      {}\n      {}; {}\n", option.key, option.help,
                       constraint_text(option), fallback);
  }
  return out;
}

std::string reference_page(const Program& program) {
  std::string out = "| Option | Takes | Default | What it is |\n|---|---|---|---|\n";
  for (const Option& option : program.options) {
    std::string fallback = default_text(option);
    if (!fallback.empty()) fallback = fmt::format("`{}`", fallback);
    out += fmt::format("| `{}` | {} | {} | {} |\n", option.key, escape_markdown(constraint_text(option)),
                       option.fallback.is_required ? "required" : fallback, escape_markdown(option.help));
  }
  return out;
}

tl::expected<Config, int> configure(const Program& program, int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  BuiltIn built_in = take_built_in(arguments);
  auto answer = [&](const char* action, const std::string& text) {
    if (!built_in.actions.contains(action)) return false;
    print_text(stdout, text);
    return true;
  };
  if (answer("--help", help_text(program)) || answer("--print-reference", reference_page(program)) ||
      answer("--version", fmt::format("{} {}\n", program.name, version())))
    return tl::unexpected(0);

  auto config = parse_config(program.options, arguments);
  auto faults = config ? std::vector<std::string>() : config.error();
  if (config && program.faults) faults = program.faults(*config);
  for (const std::string& fault : faults) print_text(stderr, fmt::format("{}: {}\n", program.name, fault));
  if (!faults.empty()) return tl::unexpected(2);
  if (answer("--print-config", config->print()) || answer("--check-config", "the configuration is good\n"))
    return tl::unexpected(0);
  return std::move(*config);
}

std::string_view version() {
  return WINDLASS_VERSION;
}

}  // namespace windlass::ops
