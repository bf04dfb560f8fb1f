// Randomness of a test that can be had again: WINDLASS_SEED sets the seed, which is printed otherwise.
#pragma once

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace windlass::test {

class Seeded {
 public:
  Seeded() : Seeded(pick_seed()) {}
  explicit Seeded(std::uint64_t seed) : engine_(seed) { std::cout << "WINDLASS_SEED=" << seed << "\n"; }

  // Does not print: its user tells the seed where it matters.
  struct Quiet {};
  Seeded(std::uint64_t seed, Quiet) : engine_(seed) {}

  std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(engine_);
  }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  std::string bytes(std::size_t count) {
    std::string out(count, '\0');
    for (char& c : out) c = static_cast<char>(below(256));
    return out;
  }

 private:
  static std::uint64_t pick_seed() {
    const char* given = std::getenv("WINDLASS_SEED");
    return given != nullptr ? std::stoull(given) : std::random_device()();
  }
  std::mt19937_64 engine_;
};

}  // namespace windlass::test
