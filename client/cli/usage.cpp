#include "client/cli/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace windlass::cli {
namespace {

// A word that is further from what exists is another word, not a slip. Two letters that changed places are
// two; everything would be near a word so short that half of it may be wrong.
std::size_t most_slips(std::string_view word) {
  return std::min<std::size_t>(2, word.size() / 2);
}

// Letters to insert, remove or replace until one is the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, diagonal + 1, replaced});
    }
  }
  return row.back();
}

// A name that `word` may have been meant for, and how to write it in full.
struct Candidate {
  std::string name, full;
};

// `, did you mean ...?`, or nothing.
std::string guess(std::string_view word, const std::vector<Candidate>& candidates) {
  const Candidate* best = nullptr;
  std::size_t fewest = most_slips(word) + 1;
  for (const auto& candidate : candidates)
    if (std::size_t slips = distance(word, candidate.name); slips < fewest) {
      best = &candidate;
      fewest = slips;
    }
  return best ? fmt::format("; did you mean {}?", best->full) : "";
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string names_of_commands(const CLI::App& app) {
  std::string out;
  for (const auto* command : commands_of(app)) out += (out.empty() ? "" : ", ") + command->get_name();
  return out;
}

std::string path_of(const CLI::App& app) {
  return (app.get_parent() ? path_of(*app.get_parent()) + " " : "") + app.get_name();
}

// Of a group and of the groups in it: `new` may be meant for `key new`.
void add_commands(const CLI::App& group, std::vector<Candidate>& out) {
  for (const auto* command : commands_of(group))
    out.push_back({command->get_name(), "`" + path_of(*command) + "`"});
  for (const auto* command : commands_of(group)) add_commands(*command, out);
}

// Options stand before or after a command, so those of the groups around it count too.
std::vector<Candidate> options_for(const CLI::App& app) {
  std::vector<Candidate> out;
  for (const CLI::App* at = &app; at; at = at->get_parent())
    for (const auto* option : at->get_options())
      for (const auto& name : option->get_lnames()) out.push_back({"--" + name, "--" + name});
  return out;
}

std::string about_word(const CLI::App& app, const std::string& word) {
  if (word.size() > 1 && word[0] == '-' && std::isdigit(static_cast<unsigned char>(word[1])))
    return fmt::format("{}: `{}` takes no negative number", word, path_of(app));
  if (word.size() > 1 && word[0] == '-') {
    std::string name = word.substr(0, word.find('='));
    return fmt::format("`{}` has no option {}{}", path_of(app), name, guess(name, options_for(app)));
  }
  if (commands_of(app).empty())
    return fmt::format("`{}` takes no \"{}\" after what is there already", path_of(app), word);
  std::vector<Candidate> commands;
  add_commands(app, commands);
  std::string near = guess(word, commands);
  return fmt::format("`{}` has no command \"{}\"{}", path_of(app), word,
                     near.empty() ? "; it has " + names_of_commands(app) : near);
}

std::string type_in_words(const std::string& type) {
  if (type == "UINT") return "a whole number, 0 to 2^64 - 1 at most";
  if (type == "INT") return "a whole number";
  return type;
}

// The library says what could not be converted, as `Could not convert: NAME = WORD`.
std::string about_conversion(const CLI::App& app, std::string text) {
  constexpr std::string_view beginning = "Could not convert: ";
  auto equals = text.find(" = ");
  if (!text.starts_with(beginning) || equals == text.npos) return text;
  std::string name = text.substr(beginning.size(), equals - beginning.size());
  std::string word = text.substr(equals + 3);
  for (const CLI::App* at = &app; at; at = at->get_parent())
    if (const auto* option = at->get_option_no_throw(name))
      return fmt::format("\"{}\" is no {}: {}, {}", word, name, option->get_description(),
                         type_in_words(option->get_type_name()));
  return text;
}

}  // namespace

std::string explain(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().back();
  std::vector<std::string> left = root.remaining(true);
  std::erase(left, "--");
  std::string what;
  if (dynamic_cast<const CLI::ConversionError*>(&error))
    what = about_conversion(*app, error.what());
  else if (!left.empty())
    what = about_word(*app, left.front());
  else if (dynamic_cast<const CLI::RequiredError*>(&error) && !commands_of(*app).empty())
    what = fmt::format("`{}` needs a command: {}", path_of(*app), names_of_commands(*app));
  else
    what = fmt::format("`{}`: {}", path_of(*app), error.what());
  return fmt::format("{}\n`{} --help` says more", what, path_of(*app));
}

}  // namespace windlass::cli
