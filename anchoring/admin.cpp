#include "anchoring/admin.h"

#include <fmt/format.h>

#include <charconv>
#include <iostream>

#include "anchoring/postgres_store.h"

namespace windlass::anchoring {
namespace {

using Change = std::function<void(Controls&)>;

// Which switch `part` names.
bool Controls::*switch_of(std::string_view part) {
  if (part == "anchors") return &Controls::anchors_paused;
  if (part == "deposits") return &Controls::deposits_paused;
  if (part == "withdrawals") return &Controls::withdrawals_paused;
  return nullptr;
}

std::optional<std::int64_t> parse_sun(const std::string& text) {
  std::int64_t sun = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sun);
  if (error != std::errc{} || end != text.data() + text.size() || sun < 0) return std::nullopt;
  return sun;
}

// Nothing when the words are no command.
std::optional<Change> change_of(const std::vector<std::string>& words) {
  const std::string& verb = words[0];
  if (words.size() == 1 && verb == "status") return [](Controls&) {};
  if (words.size() == 1 && verb == "drain")
    return [](Controls& controls) {
      // Deposits go on until then: their scan shows what becomes of payments.
      controls.anchors_paused = controls.withdrawals_paused = controls.stop_when_idle = true;
    };
  if (words.size() != 2) return std::nullopt;
  if (verb == "pause" || verb == "resume") {
    auto part = switch_of(words[1]);
    if (!part) return std::nullopt;
    return [part, paused = verb == "pause"](Controls& controls) {
      controls.*part = paused;
      if (!paused) controls.stop_when_idle = false;  // it is wanted again
    };
  }
  auto sun = parse_sun(words[1]);
  if (verb != "set-fee-ceiling" || (!sun && words[1] != "default")) return std::nullopt;
  return [sun](Controls& controls) { controls.fee_ceiling_sun = sun; };
}

std::string text_of(const std::optional<Anchor>& anchor) {
  if (!anchor) return "none";
  std::string text = fmt::format("{} of {} entries, {}", anchor->id, anchor->size, name(anchor->state));
  if (anchor->block > 0) text += fmt::format(", block {}", anchor->block);
  return text;
}

void print_status(PostgresStore& store, const Controls& controls) {
  auto cursor = store.cursor();
  std::cout << fmt::format(
      "anchors         {}\n"
      "deposits        {}\n"
      "withdrawals     {}\n"
      "stops when idle {}\n"
      "fee ceiling     {}\n"
      "under way       {}\n"
      "last solidified {}\n"
      "deposits up to  {}\n",
      controls.anchors_paused ? "paused" : "on", controls.deposits_paused ? "paused" : "on",
      controls.withdrawals_paused ? "paused" : "on", controls.stop_when_idle ? "yes" : "no",
      controls.fee_ceiling_sun ? fmt::format("{} sun", *controls.fee_ceiling_sun) : "as configured",
      text_of(store.open_anchor()), text_of(store.newest_solidified()),
      cursor ? fmt::format("block {}", cursor->number) : "no block yet");
}

}  // namespace

std::vector<std::string> take_command(std::vector<const char*>& arguments) {
  std::vector<std::string> words;
  std::vector<const char*> rest;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    bool is_value = i > 0 && std::string_view(arguments[i - 1]) == "--config";
    if (i == 0 || is_value || argument.starts_with("-"))
      rest.push_back(arguments[i]);
    else
      words.emplace_back(argument);
  }
  arguments = std::move(rest);
  return words;
}

int run_admin_command(const std::vector<std::string>& words, const std::string& database_url) {
  auto change = change_of(words);
  if (!change) {
    std::cerr << "windlass-anchor: no such command. " << admin_usage << '\n';
    return 2;
  }
  PostgresStore store(database_url);
  Controls controls = words[0] == "status" ? store.controls() : store.change_controls(*change);
  print_status(store, controls);
  return 0;
}

}  // namespace windlass::anchoring
