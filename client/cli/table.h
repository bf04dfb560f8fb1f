// The command line as one table: the parser, --help, completion and the man page all come from it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <vector>

#include "client/cli/context.h"
#include "client/dev/settings.h"

namespace windlass::cli {

// What a command does once it is parsed; the exit code.
using Run = std::function<Result<int>(Context&)>;

struct Command {
  std::string name;  // with the names of its groups: "channel open"
  std::string summary;
  // Adds arguments and options to its parser, and gives what to do with them.
  std::function<Run(CLI::App&)> define;
};
using Commands = std::vector<Command>;

// By area, in the order of --help.
Commands key_commands();
Commands payment_commands();
Commands withdrawal_commands();
Commands history_commands();
Commands liability_commands();
Commands proof_commands();
Commands operator_commands();
Commands development_commands();
Commands demo_commands();

// The development system in `dir`, which must be running.
Result<dev::Settings> running_system(const std::string& dir);

// Parses and runs; the exit code.
int run(int argc, char** argv);

// A word of arguments that make one amount: `12.5`, `"12.5 BTT"`, or `12.5 BTT`.
struct AmountArgument {
  std::vector<std::string> words;
  std::string asset = "BTT";
  bool units = false;
  void define(CLI::App& app, const std::string& help);
  Result<AssetAmount> parse(Context& context) const { return context.amount(words, asset, units); }
};

}  // namespace windlass::cli
