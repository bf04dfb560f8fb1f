// Thousands of short lives of the anchoring process, each through its own storm of faults
// (anchoring_storm.h). What it may never do is checked at every send, every block and at the end.
//   WINDLASS_SEED=n          that seed alone
//   WINDLASS_STORM_SEEDS=n   seeds 1 to n; m-n: seeds m to n, so that a soak can be shared out
#include <unistd.h>

#include <csignal>

#include "tests/property/anchoring_storm.h"
#include "tests/property/core_seeds.h"

namespace windlass::test {
namespace {

constexpr std::uint64_t seeds_by_default = 2'000;
constexpr std::uint64_t seeds_of_a_soak = 100'000;
constexpr std::uint64_t known_seeds =
    1'000;  // the same ones in every run; the others were never tried before

std::vector<std::uint64_t> storm_seeds() {
  if (std::getenv("WINDLASS_SEED")) return {number_from_environment("WINDLASS_SEED", 0)};
  std::vector<std::uint64_t> seeds;
  if (const char* range = std::getenv("WINDLASS_STORM_SEEDS")) {
    unsigned long long first = 1, last = 0;
    if (std::sscanf(range, "%llu-%llu", &first, &last) == 1) last = std::exchange(first, 1);
    for (; first <= last; ++first) seeds.push_back(first);
    return seeds;
  }
  std::uint64_t count = std::getenv("WINDLASS_SOAK") ? seeds_of_a_soak : seeds_by_default;
  while (seeds.size() < count)
    seeds.push_back(seeds.size() < known_seeds ? seeds.size() + 1 : std::random_device{}());
  return seeds;
}

// A failed assertion of the code under test ends the process: then too the seed is told.
char seed_line[64];
void tell_seed(int) {
  static_cast<void>(::write(STDOUT_FILENO, seed_line, std::strlen(seed_line)));
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

TEST(AnchoringProperty, AnchorsCreditsAndPaysEachOnceWhateverHappens) {
  Storm::Figures all;
  std::uint64_t tried = 0;
  auto seeds = storm_seeds();
  ASSERT_FALSE(seeds.empty()) << "WINDLASS_STORM_SEEDS is n or m-n";
  for (auto seed : seeds) {
    std::snprintf(seed_line, sizeof seed_line, "WINDLASS_SEED=%llu, after %llu good ones\n",
                  static_cast<unsigned long long>(seed), static_cast<unsigned long long>(tried++));
    std::signal(SIGABRT, tell_seed);
    Storm storm(seed);
    storm.run();
    all.add(storm.figures());
    if (!HasFailure()) continue;
    std::cout << seed_line;
    return;
  }
  std::signal(SIGABRT, SIG_DFL);
  std::cout << tried << " seeds, " << all.blocks << " blocks: " << all.anchors << " anchors (" << all.landed
            << " landed), " << all.deposits << " deposits, " << all.withdrawals << " withdrawals, "
            << all.crashes << " crashes\n";
  for (const auto* counts : {&all.outcomes, &all.payments, &all.sweeps, &all.exchange, &all.faults}) {
    for (const auto& [name, count] : *counts) std::cout << "  " << name << " " << count;
    std::cout << "\n";
  }
  if (tried < seeds_by_default) return;
  // It was a storm: all that can become of a transaction did.
  for (const char* outcome : {"signed", "broadcast", "sent_again", "refused", "included", "dropped",
                              "solidified", "expired", "failed"})
    EXPECT_GT(all.outcomes[outcome], 0u) << outcome;
  for (const char* outcome :
       {"signed", "broadcast", "refused", "included", "landed", "failed", "expired", "paid", "refunded"})
    EXPECT_GT(all.payments[outcome], 0u) << outcome;
  for (const char* outcome : {"signed", "broadcast", "refused", "included", "landed", "failed", "expired"})
    EXPECT_GT(all.sweeps[outcome], 0u) << outcome;
  for (const char* outcome :
       {"deposit", "deposit_failed", "deposit_dropped", "withdrawal", "given_back", "given_back_bound"})
    EXPECT_GT(all.exchange[outcome], 0u) << outcome;
}

TEST(AnchoringProperty, TellsTheSameStoryForTheSameSeed) {
  std::set<Hash> stories;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Storm storm(seed), again(seed);
    storm.run();
    again.run();
    EXPECT_EQ(storm.trace(), again.trace()) << seed;
    stories.insert(storm.trace());
  }
  EXPECT_EQ(stories.size(), 20u);
}

}  // namespace
}  // namespace windlass::test
