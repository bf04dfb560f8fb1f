// Random edits of inputs that a parser takes.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "tests/seeded.h"

namespace windlass::test {

// Inputs for each parser.
inline std::uint64_t fuzz_runs() {
  const char* given = std::getenv("WINDLASS_FUZZ_RUNS");
  return given != nullptr ? std::stoull(given) : 100'000;
}

// `pieces`: what the parser looks for.
inline std::string mutate(std::string input, std::span<const std::string_view> pieces, Seeded& random) {
  for (std::uint64_t edits = 1 + random.below(3); edits > 0; --edits) {
    std::uint64_t at = random.below(input.size() + 1),
                  length = random.below(std::min<std::uint64_t>(input.size() - at, 8) + 1);
    switch (random.below(6)) {
      case 0:
        input.erase(at, length);
        break;
      case 1:
        input.insert(at, pieces[random.below(pieces.size())]);
        break;
      case 2:
        input.replace(at, length, random.bytes(length));
        break;
      case 3:
        input.insert(at, input.substr(random.below(input.size() + 1), random.below(60)));
        break;
      case 4:
        input.resize(at);
        break;
      default:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
    }
  }
  return input;
}

}  // namespace windlass::test
