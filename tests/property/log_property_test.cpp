// What must hold for trees of every size, for every proof, and after every crash. Seeds are printed.
#include <algorithm>

#include "tests/seeded.h"
#include "tests/unit/log_vectors.h"

namespace windlass::log {
namespace {

namespace fs = std::filesystem;
using test::append_range;
using test::Leaves;
using test::ScratchDirectory;
using test::Seeded;

Leaves random_leaves(Seeded& random, std::uint64_t count) {
  Leaves leaves;
  for (std::uint64_t i = 0; i < count; ++i)
    leaves.add(random.bytes(random.below(random.one_in(50) ? 2000 : 40)));
  return leaves;
}

// Sizes around powers of two are where trees change their shape.
std::uint64_t random_size(Seeded& random, std::uint64_t below) {
  if (random.one_in(2)) return random.below(below);
  std::uint64_t power = std::uint64_t{1} << random.below(12);
  return std::min(below - 1, power - 1 + random.below(3));
}

void append_in_batches(TileStore& store, const Leaves& leaves, Seeded& random) {
  while (store.size() < leaves.bytes.size()) {
    std::uint64_t batch = 1 + random.below(random.one_in(4) ? 1000 : 20);
    append_range(store, leaves, store.size(),
                 std::min<std::uint64_t>(leaves.bytes.size(), store.size() + batch));
  }
}

Hash flip_bit(Hash hash, std::uint64_t bit) {
  hash[bit / 8] = static_cast<std::uint8_t>(hash[bit / 8] ^ (1U << bit % 8));
  return hash;
}

// Calls `check` with `hash` after each of some flips, or of all 256.
template <typename Check>
void with_flips(Hash& hash, Seeded& random, bool all, Check check) {
  const Hash good = hash;
  for (std::uint64_t i = 0; i < (all ? 256 : 4); ++i) {
    hash = flip_bit(good, all ? i : random.below(256));
    check();
  }
  hash = good;
}

TEST(LogProperty, ThreeWaysToTheRootAgreeAtEverySize) {
  Seeded random;
  ScratchDirectory directory;
  TileStore store(directory.path());
  Leaves leaves = random_leaves(random, 1500);
  append_in_batches(store, leaves, random);
  CompactRange range;
  for (std::uint64_t size = 0; size <= leaves.hashes.size(); ++size) {
    if (size > 0) range.append(leaves.hashes[size - 1]);
    ASSERT_EQ(range.size(), size);
    ASSERT_EQ(range.root(), root_of(std::span(leaves.hashes).first(size))) << size;
    ASSERT_EQ(range.root(), root_at(store, size)) << size;
  }
}

TEST(LogProperty, EveryInclusionProofHoldsAndNoOtherDoes) {
  Seeded random;
  ScratchDirectory directory;
  TileStore store(directory.path());
  Leaves leaves = random_leaves(random, 3000);
  append_in_batches(store, leaves, random);
  for (int round = 0; round < 150; ++round) {
    std::uint64_t size = 1 + random_size(random, 3000), index = random.below(size);
    Hash root = root_at(store, size), leaf = leaves.hashes[index];
    Proof proof = inclusion_proof(store, index, size);
    auto first = std::span(leaves.hashes).first(size);
    ASSERT_EQ(proof, Tree({first.begin(), first.end()}).inclusion(index));
    auto verifies = [&] { return verify_inclusion(leaf, index, size, proof, root); };
    ASSERT_TRUE(verifies()) << index << " in " << size;

    bool all = round < 10;
    auto must_fail = [&] { ASSERT_FALSE(verifies()) << index << " in " << size; };
    for (Hash& hash : proof) with_flips(hash, random, all, must_fail);
    with_flips(leaf, random, all, must_fail);
    with_flips(root, random, all, must_fail);
    proof.push_back(root);
    must_fail();
    proof.pop_back();
    std::uint64_t other = random.below(size);
    if (leaves.hashes[other] != leaf) {
      ASSERT_FALSE(verify_inclusion(leaf, other, size, proof, root)) << other << " for " << index;
    }
    if (!proof.empty()) proof.pop_back();
    if (size > 1) must_fail();
  }
}

TEST(LogProperty, EveryConsistencyProofHoldsAndNoOtherDoes) {
  Seeded random;
  ScratchDirectory directory;
  TileStore store(directory.path());
  Leaves leaves = random_leaves(random, 3000);
  append_in_batches(store, leaves, random);
  for (int round = 0; round < 150; ++round) {
    std::uint64_t size = 1 + random_size(random, 3000),
                  old_size = random.one_in(5) ? size : random_size(random, size + 1);
    Hash old_root = root_at(store, old_size), root = root_at(store, size);
    Proof proof = consistency_proof(store, old_size, size);
    auto verifies = [&] { return verify_consistency(old_size, old_root, size, root, proof); };
    ASSERT_TRUE(verifies()) << old_size << " to " << size;

    bool all = round < 10;
    auto must_fail = [&] { ASSERT_FALSE(verifies()) << old_size << " to " << size; };
    for (Hash& hash : proof) with_flips(hash, random, all, must_fail);
    with_flips(old_root, random, all, must_fail);
    if (old_size > 0) with_flips(root, random, all, must_fail);  // anything extends the empty tree
    if (old_size != size) {
      ASSERT_FALSE(verify_consistency(size, root, old_size, old_root, proof));
    }
    proof.push_back(root);
    must_fail();
    proof.pop_back();
    if (proof.empty()) continue;
    proof.pop_back();
    must_fail();
  }
}

TEST(LogProperty, ProofsInsideABatchAreThoseOfAnyTree) {
  Seeded random;
  for (std::uint64_t size = 1; size <= 70; ++size) {
    Leaves leaves = random_leaves(random, size);
    Tree tree(leaves.hashes);
    ASSERT_EQ(tree.root(), root_of(leaves.hashes));
    for (std::uint64_t index = 0; index < size; ++index)
      ASSERT_TRUE(verify_inclusion(leaves.hashes[index], index, size, tree.inclusion(index), tree.root()));
  }
}

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// What a crash may do to a file: cut it anywhere, lose it, or leave zeros where bytes should have come.
void damage(const fs::path& file, Seeded& random) {
  std::uint64_t size = fs::file_size(file), kept = random.below(size + 1);
  if (random.one_in(10)) {
    fs::remove(file);
    return;
  }
  fs::resize_file(file, kept);
  if (random.one_in(3)) fs::resize_file(file, size);
}

// The store is a whole tree of some prefix of `leaves`, in memory and in every file.
void expect_prefix(const TileStore& store, const Leaves& leaves) {
  std::uint64_t size = store.size();
  ASSERT_LE(size, leaves.hashes.size());
  ASSERT_EQ(root_at(store, size), root_of(std::span(leaves.hashes).first(size)));
  for (std::uint64_t begin = 0; begin < size; begin += tile_width) {
    std::uint64_t width = std::min(tile_width, size - begin);
    TilePath path{.entries = true, .index = begin / tile_width, .width = static_cast<int>(width)};
    auto bundle = store.read(path);
    ASSERT_TRUE(bundle);
    auto entries = parse_bundle(*bundle);
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), width);
    ASSERT_TRUE(std::equal(entries->begin(), entries->end(),
                           leaves.bytes.begin() + static_cast<std::ptrdiff_t>(begin)));
    path.entries = false;
    auto hashes = store.read(path);
    ASSERT_TRUE(hashes);
    for (std::uint64_t i = 0; i < width; ++i)
      ASSERT_EQ(ByteView(*hashes).substr(32 * i, 32), view(leaves.hashes[begin + i]));
  }
}

TEST(LogProperty, AfterATornEndAWholePrefixIsLeftAndGrowsAgain) {
  Seeded random;
  for (int round = 0; round < 60; ++round) {
    ScratchDirectory directory;
    Leaves leaves = random_leaves(random, 1 + random_size(random, 1500));
    {
      TileStore store(directory.path());
      append_in_batches(store, leaves, random);
    }
    std::uint64_t untouched = leaves.hashes.size();
    for (std::uint64_t damages = 1 + random.below(3); damages > 0; --damages) {
      auto files = files_in(directory.path());
      if (files.empty()) break;
      fs::path file = files[random.below(files.size())];
      // Only the bundles and the lowest tiles matter: what is above is made again from them.
      auto path = TilePath::parse(fs::relative(file, directory.path()).string());
      ASSERT_TRUE(path) << file;
      if (path->entries || path->level == 0) untouched = std::min(untouched, path->index * tile_width);
      damage(file, random);
    }
    {
      TileStore store(directory.path());
      ASSERT_GE(store.size(), untouched) << "more was lost than was damaged";
      expect_prefix(store, leaves);
      append_in_batches(store, leaves, random);
      expect_prefix(store, leaves);
    }
    TileStore reopened(directory.path());
    ASSERT_EQ(reopened.size(), leaves.hashes.size());
    expect_prefix(reopened, leaves);
  }
}

TEST(LogProperty, TruncationLeavesAWholePrefixThatGrowsAgain) {
  Seeded random;
  ScratchDirectory directory;
  TileStore store(directory.path());
  Leaves leaves = random_leaves(random, 3000);
  for (int round = 0; round < 40; ++round) {
    append_in_batches(store, leaves, random);
    store.truncate(random_size(random, 3001));
    expect_prefix(store, leaves);
    ASSERT_EQ(TileStore(directory.path()).size(), store.size());
  }
}

}  // namespace
}  // namespace windlass::log
