// Trees and proofs, against what golang.org/x/mod/sumdb/tlog and transparency-dev/merkle made and judged.
#include "ledger/log/merkle.h"
#include "tests/unit/log_vectors.h"

namespace windlass::log {
namespace {

using test::hash_of;
using test::proof_of;
using test::tlog_vectors;
using test::VectorTree;

TEST(Merkle, HashesLeavesAsTheReferenceDoes) {
  for (const auto& v : tlog_vectors("roots.json", "leaf")) {
    std::string entry;
    if (v.contains("entry")) {
      entry = v["entry"];
    } else if (v.contains("entry_hex")) {
      entry = test::bytes_of(v["entry_hex"]);
    } else {
      ASSERT_EQ(v["entry_is"], "all ff");
      entry = std::string(v["entry_size"].get<std::size_t>(), '\xff');
    }
    EXPECT_EQ(leaf_hash(entry), hash_of(v["leaf_hash_hex"])) << v;
  }
}

TEST(Merkle, HasTheRootsOfTheReferenceByEveryWay) {
  const auto& tree = VectorTree::instance();
  CompactRange range;
  for (const auto& v : tlog_vectors("roots.json", "root")) {
    auto size = v["size"].get<std::uint64_t>();
    Hash root = hash_of(v["root_hex"]);
    while (range.size() < size) range.append(tree.leaves.hashes[range.size()]);
    EXPECT_EQ(range.root(), root) << size;
    EXPECT_EQ(root_of(tree.first(size)), root) << size;
    EXPECT_EQ(root_at(tree.store, size), root) << size;
  }
}

TEST(Merkle, JudgesInclusionAsTheReferenceDoes) {
  for (const auto& v : tlog_vectors("proofs.json", "inclusion"))
    EXPECT_EQ(verify_inclusion(hash_of(v["leaf_hash_hex"]), v["index"], v["size"], proof_of(v["hashes_hex"]),
                               hash_of(v["root_hex"])),
              v["valid"])
        << v;
}

TEST(Merkle, MakesTheInclusionProofsOfTheReference) {
  const auto& tree = VectorTree::instance();
  for (const auto& v : tlog_vectors("proofs.json", "inclusion")) {
    if (v.contains("why")) continue;
    Proof expected = proof_of(v["hashes_hex"]);
    EXPECT_EQ(Tree(tree.first(v["size"])).inclusion(v["index"]), expected) << v;
    EXPECT_EQ(inclusion_proof(tree.store, v["index"], v["size"]), expected) << v;
  }
}

TEST(Merkle, JudgesConsistencyAsTheReferenceDoes) {
  for (const auto& v : tlog_vectors("proofs.json", "consistency"))
    EXPECT_EQ(verify_consistency(v["old_size"], hash_of(v["old_root_hex"]), v["new_size"],
                                 hash_of(v["new_root_hex"]), proof_of(v["hashes_hex"])),
              v["valid"])
        << v;
}

TEST(Merkle, MakesTheConsistencyProofsOfTheReference) {
  const auto& tree = VectorTree::instance();
  for (const auto& v : tlog_vectors("proofs.json", "consistency"))
    if (!v.contains("why")) {
      EXPECT_EQ(consistency_proof(tree.store, v["old_size"], v["new_size"]), proof_of(v["hashes_hex"])) << v;
    }
}

TEST(Merkle, TheEmptyTreeIsConsistentWithAllButHasOneRoot) {
  Hash some = leaf_hash("x");
  EXPECT_TRUE(verify_consistency(0, empty_root(), 0, empty_root(), {}));
  EXPECT_TRUE(verify_consistency(0, empty_root(), 1, some, {}));
  EXPECT_FALSE(verify_consistency(0, empty_root(), 1, some, {some}));
  EXPECT_FALSE(verify_consistency(0, some, 1, some, {}));
  EXPECT_FALSE(verify_consistency(0, some, 0, some, {}));
  EXPECT_FALSE(verify_consistency(0, empty_root(), 0, some, {}));
  EXPECT_FALSE(verify_inclusion(some, 0, 0, {}, empty_root()));
}

TEST(Merkle, EqualSizesNeedEqualRootsAndNoHashes) {
  Hash some = leaf_hash("x"), other = leaf_hash("y");
  EXPECT_TRUE(verify_consistency(7, some, 7, some, {}));
  EXPECT_FALSE(verify_consistency(7, some, 7, other, {}));
  EXPECT_FALSE(verify_consistency(7, some, 7, some, {some}));
}

TEST(Merkle, AnIndexEqualToTheSizeIsRefusedWhateverTheHashes) {
  Hash leaf = leaf_hash("x"), sibling = leaf_hash("y");
  EXPECT_TRUE(verify_inclusion(leaf, 1, 2, {sibling}, node_hash(sibling, leaf)));
  EXPECT_FALSE(verify_inclusion(leaf, 1, 1, {sibling}, node_hash(sibling, leaf)));
}

TEST(Merkle, SizesNearTheEndOfTheirRangeAreJudgedAsAnyOther) {
  const std::uint64_t most = ~std::uint64_t{0};
  Hash some = leaf_hash("x");
  // 2^64 - 1 leaves: leaf 0 has 64 siblings; the last leaf, a tree of its own, 63, all on the left.
  EXPECT_FALSE(verify_inclusion(some, 0, most, Proof(63, some), some));
  EXPECT_FALSE(verify_inclusion(some, most, most, Proof(64, some), some));
  Hash root = some;
  for (int i = 0; i < 63; ++i) root = node_hash(some, root);
  EXPECT_TRUE(verify_inclusion(some, most - 1, most, Proof(63, some), root));
  EXPECT_FALSE(verify_inclusion(some, most - 1, most, Proof(64, some), root));
  root = node_hash(some, some);
  for (int i = 1; i < 64; ++i) root = node_hash(root, some);
  EXPECT_TRUE(verify_inclusion(some, 1, most, Proof(64, some), root));
  EXPECT_FALSE(verify_consistency(most - 1, some, most, some, Proof(64, some)));
  EXPECT_FALSE(verify_consistency(std::uint64_t{1} << 63, some, most, some, {}));
}

}  // namespace
}  // namespace windlass::log
