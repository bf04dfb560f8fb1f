// What was wrong with words that the command line does not take, and what would be right.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace windlass::cli {

// After `root.parse` threw `error`, other than for help or the version: a sentence or two.
std::string explain(const CLI::App& root, const CLI::ParseError& error);

}  // namespace windlass::cli
