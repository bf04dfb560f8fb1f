// Which seeds a property test runs with, and for how long.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace windlass {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::stoull(text) : otherwise;
}

// The seed of WINDLASS_SEED alone; otherwise as many as make `commands` (WINDLASS_PROPERTY_COMMANDS) of so
// many each: 1, 2, ... and, from a few on, seeds never tried before.
inline std::vector<std::uint64_t> property_seeds(std::uint64_t commands, std::uint64_t commands_of_a_seed) {
  constexpr std::uint64_t known_seeds = 7;
  constexpr std::uint64_t soak_factor = 20;  // a few minutes
  if (std::getenv("WINDLASS_SEED")) return {number_from_environment("WINDLASS_SEED", 0)};
  if (std::getenv("WINDLASS_SOAK")) commands *= soak_factor;
  commands = number_from_environment("WINDLASS_PROPERTY_COMMANDS", commands);
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = 1; seeds.size() * commands_of_a_seed < commands; ++seed)
    seeds.push_back(seed <= known_seeds ? seed : std::random_device{}());
  return seeds;
}

}  // namespace windlass
