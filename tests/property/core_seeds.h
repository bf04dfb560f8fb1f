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

// The seed of WINDLASS_SEED alone; otherwise 1, 2, ... and, last, one never tried before.
inline std::vector<std::uint64_t> property_seeds(std::uint64_t count) {
  if (std::getenv("WINDLASS_SEED")) return {number_from_environment("WINDLASS_SEED", 0)};
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = 1; seed < count; ++seed) seeds.push_back(seed);
  seeds.push_back(std::random_device{}());
  return seeds;
}

// In all, over all seeds.
inline std::uint64_t property_commands(std::uint64_t otherwise) {
  return number_from_environment("WINDLASS_PROPERTY_COMMANDS", otherwise);
}

}  // namespace windlass
