// What an operator tells windlass-anchor while it runs: `windlass-anchor --config FILE COMMAND`. The commands
// change a row in its database, which the process that holds the lease reads at every step; so they hold
// across restarts and for a process that stands by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace windlass::anchoring {

constexpr std::string_view admin_usage =
    "With a command it talks to the running process instead, through the database:\n"
    "  pause anchors         sign no new anchor; what is signed is pursued to its end\n"
    "  pause deposits        credit no deposit\n"
    "  pause withdrawals     sign no new payment and let none be asked for; what is signed is pursued to its "
    "end\n"
    "  resume anchors|deposits|withdrawals\n"
    "  set-fee-ceiling SUN   for one anchor, instead of the configured ceiling\n"
    "  set-fee-ceiling default\n"
    "  drain                 pause all, and end the process once nothing signed is under way\n"
    "  status                what holds, and what is under way";

// Takes the words that are neither flags nor the value of --config out of the arguments (the first is the
// program); none: no command was given.
std::vector<std::string> take_command(std::vector<const char*>& arguments);

// The exit code: 2 for a command that is none. Throws journal::DatabaseError.
int run_admin_command(const std::vector<std::string>& words, const std::string& database_url);

}  // namespace windlass::anchoring
