// `windlass dev`: a whole system on one machine. Started bottom-up, each part once the one below answers;
// supervised; stopped top-down.
#pragma once

#include "client/dev/settings.h"

namespace windlass::dev {

// Runs until it is told to stop (SIGINT, SIGTERM, `windlass dev stop`). The exit code.
int run(const Options& options);

// Stops the system that runs in `dir`, detached or not, and waits for it. Nothing runs: says so, and is
// content.
int stop(const std::filesystem::path& dir);

// Whether a system runs in `dir`.
bool is_running(const std::filesystem::path& dir);

}  // namespace windlass::dev
