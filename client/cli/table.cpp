#include "client/cli/table.h"

#include <charconv>
#include <sstream>

#include "client/cli/usage.h"
#include "ops/config.h"

namespace windlass::cli {
namespace {

constexpr int exit_refused = 1, exit_usage = 2, exit_later = 3;

constexpr std::string_view groups[][2] = {
    {"key", "keys on this machine"},
    {"channel", "deposits for one recipient, claimed by receipts"},
    {"receipt", "signed statements of what a recipient has earned"},
    {"admin", "what only the operator's key may do"},
    {"dev", "a whole system on one machine"},
};

std::string environment_or(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

void define_globals(CLI::App& app, GlobalOptions& options) {
  options.address = environment_or("WINDLASS_ADDRESS", "127.0.0.1:7380");
  options.vkey = environment_or("WINDLASS_LOG_VKEY", "");
  options.tron = environment_or("WINDLASS_TRON_GRPC", "");
  options.checkpoints = environment_or("WINDLASS_CHECKPOINTS", "");
  app.add_option("--key", options.key_file,
                 "key file of the signer (WINDLASS_KEY; else ~/.config/windlass/key)");
  app.add_option("--address", options.address, "the ledger, host:port (WINDLASS_ADDRESS)")
      ->capture_default_str();
  app.add_option("--ca", options.ca_file, "speak TLS, and trust the certificates in this PEM file");
  app.add_option(
      "--vkey", options.vkey,
      "the log's verifier key (WINDLASS_LOG_VKEY; else what the ledger says, which then is believed)");
  app.add_option("--tron", options.tron, "a TRON node, host:port, to look anchors up (WINDLASS_TRON_GRPC)");
  app.add_option(
      "--checkpoints", options.checkpoints,
      "folder that remembers the newest checkpoint seen of each log, or off (WINDLASS_CHECKPOINTS; else "
      "$XDG_STATE_HOME/windlass/checkpoints or ~/.config/windlass/checkpoints)");
  app.add_option("--deadline-ms", options.deadline_ms, "of each call")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600'000));
  app.add_flag("--json", options.json, "JSON on standard output");
}

// `available 5 BTT`; times, which the ledger gives in microseconds, as such.
std::string figure(std::string name, const std::string& value) {
  std::int64_t time_us = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), time_us);
  bool is_time = name.ends_with("_us") && error == std::errc() && end == value.data() + value.size();
  if (is_time) name.erase(name.size() - 3);
  std::replace(name.begin(), name.end(), '_', ' ');
  return name + " " + (is_time ? utc(time_us) : value);
}

int report(const Failure& failure) {
  std::string figures;
  for (const auto& [name, value] : failure.metadata)
    figures += (figures.empty() ? " (" : ", ") + figure(name, value);
  fmt::print(stderr, "windlass: {}{}{}{}\n", failure.reason.empty() ? "" : failure.reason + ": ",
             failure.message, figures, figures.empty() ? "" : ")");
  switch (failure.kind) {
    case Failure::Kind::usage:
      return exit_usage;
    case Failure::Kind::later:
      return exit_later;
    case Failure::Kind::refused:
    case Failure::Kind::false_proof:
      break;
  }
  return exit_refused;
}

// The parser of the table. Each leaf command leaves what it does in `chosen`.
class Parser {
 public:
  Parser()
      : app_("The Windlass command line: pay, be paid, and check the ledger without trusting it.",
             "windlass") {
    app_.set_version_flag("--version", "windlass " + std::string(ops::version()));
    app_.require_subcommand(1);
    app_.fallthrough();  // global options may stand anywhere
    app_.get_formatter()->column_width(34);
    define_globals(app_, options_);
    for (const auto& [name, summary] : groups) group_[std::string(name)] = {std::string(summary), nullptr};
    for (const auto& area :
         {key_commands(), payment_commands(), withdrawal_commands(), history_commands(), liability_commands(),
          proof_commands(), operator_commands(), development_commands(), demo_commands()})
      for (const auto& command : area) add(command);
    add({"completion", "prints completion for bash: source <(windlass completion)",
         [this](CLI::App&) -> Run { return [this](Context&) { return print(completion()); }; }});
    add({"man", "prints the manual page: windlass man | man -l -",
         [this](CLI::App&) -> Run { return [this](Context&) { return print(manual()); }; }});
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) return app_.exit(error);  // --help, --version
      fmt::print(stderr, "windlass: {}\n", explain(app_, error));
      return exit_usage;
    }
    Context context(options_);
    auto done = chosen_(context);
    std::fflush(stdout);
    return done ? *done : report(done.error());
  }

 private:
  void add(const Command& command) {
    CLI::App* parent = &app_;
    std::string name = command.name;
    if (auto space = name.find(' '); space != name.npos) {
      parent = group(name.substr(0, space));
      name.erase(0, space + 1);
    } else if (auto known = group_.find(name); known != group_.end()) {
      define(*group(name), command, true);
      return;
    }
    define(*parent->add_subcommand(name, command.summary), command, false);
  }
  CLI::App* group(const std::string& name) {
    auto& [summary, app] = group_[name];
    if (!app) {
      app = app_.add_subcommand(name, summary);
      app->require_subcommand(1);
      app->fallthrough();
    }
    return app;
  }
  // The library would make large numbers of them.
  static void refuse_negatives(CLI::App& app) {
    auto check = [](const std::string& word) {
      return word.starts_with('-') ? fmt::format("\"{}\" is negative", word) : std::string();
    };
    for (auto* option : app.get_options())
      if (option->get_type_name() == "UINT") option->check(check);
  }
  // A group that is a command of its own too, like `dev`, runs when no command of it is named.
  void define(CLI::App& app, const Command& command, bool is_group) {
    if (is_group) app.require_subcommand(0, 1);
    app.fallthrough();
    Run run = command.define(app);
    refuse_negatives(app);
    app.callback([this, run, &app, is_group] {
      if (!is_group || app.get_subcommands().empty()) chosen_ = run;
    });
  }

  static Result<int> print(const std::string& text) {
    std::cout << text;
    return 0;
  }

  template <typename Visit>
  static void for_each(const CLI::App& app, const std::string& path, const Visit& visit) {
    visit(app, path);
    for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; }))
      for_each(*sub, path + (path.empty() ? "" : " ") + sub->get_name(), visit);
  }
  static std::vector<std::string> option_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* option : app.get_options())
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    return names;
  }

  std::string completion() const {
    std::ostringstream out;
    out << "_windlass() {\n  local path=\"\" word words\n"
           "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "    [[ $word == -* ]] || path=\"${path:+$path }$word\"\n  done\n  case \"$path\" in\n";
    for_each(app_, "", [&](const CLI::App& app, const std::string& path) {
      out << "    \"" << path << "\") words=\"";
      for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; }))
        out << sub->get_name() << ' ';
      for (const auto& name : option_names(app)) out << name << ' ';
      out << "\" ;;\n";
    });
    out << "    *) COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")); return ;;\n  esac\n"
           "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
           "complete -o default -F _windlass windlass\n";
    return out.str();
  }

  std::string manual() const {
    std::ostringstream out;
    out << ".TH WINDLASS 1 \"\" \"windlass " << ops::version() << "\"\n.SH NAME\nwindlass \\- "
        << "the Windlass command line\n.SH SYNOPSIS\n.B windlass\n[options] command\n.SH OPTIONS\n";
    write_options(out, app_);
    out << ".SH COMMANDS\n";
    for_each(app_, "", [&](const CLI::App& app, const std::string& path) {
      if (path.empty()) return;
      out << ".SS \"" << path << "\"\n" << app.get_description() << "\n";
      write_options(out, app);
    });
    out << ".SH EXIT STATUS\n0 done; 1 refused, or a proof that does not hold; 2 usage; 3 unreachable, or "
           "try again "
           "later.\n";
    return out.str();
  }
  static void write_options(std::ostream& out, const CLI::App& app) {
    for (const auto* option : app.get_options()) {
      if (option->get_name() == "--help") continue;
      out << ".TP\n.B " << option->get_name(true) << "\n" << option->get_description() << "\n";
    }
  }

  CLI::App app_;
  GlobalOptions options_;
  std::map<std::string, std::pair<std::string, CLI::App*>> group_;
  Run chosen_;
};

}  // namespace

void AmountArgument::define(CLI::App& app, const std::string& help) {
  app.add_option("amount", words, help + ": 12.5, or 12.5 BTT")->required()->expected(1, 2);
  app.add_option("--asset", asset, "of an amount that names none")->capture_default_str();
  app.add_flag("--units", units, "the amount counts ledger units");
}

int run(int argc, char** argv) {
  return Parser().run(argc, argv);
}

}  // namespace windlass::cli
