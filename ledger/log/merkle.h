// RFC 6962 Merkle trees over SHA-256: roots, inclusion and consistency proofs, from any source of stored node
// hashes.
#pragma once

#include <optional>
#include <vector>

#include "crypto/hash.h"

namespace windlass::log {

using Proof = std::vector<Hash>;

Hash leaf_hash(ByteView leaf);                        // SHA256(0x00 || leaf)
Hash node_hash(const Hash& left, const Hash& right);  // SHA256(0x01 || left || right)
Hash empty_root();                                    // SHA256("")

Hash root_of(std::span<const Hash> leaves);

// Verification needs nothing but the arguments.
bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, const Proof& proof,
                      const Hash& root);
bool verify_consistency(std::uint64_t old_size, const Hash& old_root, std::uint64_t size, const Hash& root,
                        const Proof& proof);

// The root of the first `old_size` leaves as a consistency proof itself has it; whether the proof holds is
// verify_consistency's to say. Nothing where the proof does not name it (`old_size` is a power of two, 0 or
// not below `size`), or has another length.
std::optional<Hash> claimed_old_root(std::uint64_t old_size, std::uint64_t size, const Proof& proof);

// Where stored nodes come from. A node (level, index) covers leaves [index << level, (index + 1) << level),
// all present.
class NodeReader {
 public:
  virtual ~NodeReader() = default;
  virtual Hash node(int level, std::uint64_t index) const = 0;
};
// `size` is at most what the reader holds. An inclusion proof needs index < size, a consistency proof
// old_size <= size.
Hash root_at(const NodeReader& nodes, std::uint64_t size);
// As RFC 6962 orders it: the sibling of the leaf first.
Proof inclusion_proof(const NodeReader& nodes, std::uint64_t index, std::uint64_t size);
Proof consistency_proof(const NodeReader& nodes, std::uint64_t old_size, std::uint64_t size);

// A whole tree in memory, each node hashed once: an entry's postings, a commit's batch.
class Tree final : public NodeReader {
 public:
  Tree() = default;
  explicit Tree(std::vector<Hash> leaves);
  std::uint64_t size() const { return size_; }
  Hash root() const { return root_at(*this, size_); }
  Proof inclusion(std::uint64_t index) const { return inclusion_proof(*this, index, size_); }
  Hash node(int level, std::uint64_t index) const override;

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> nodes_;  // the leaves, then level after level
};

// The right edge of a growing tree: enough to append and to know the root, nothing else.
class CompactRange {
 public:
  // Goes on from a tree of `size` leaves whose perfect subtrees have these roots, largest first; nothing when
  // their number is not that of the size's one bits.
  static std::optional<CompactRange> resume(std::uint64_t size, std::vector<Hash> peaks);
  void append(const Hash& leaf);
  std::uint64_t size() const { return size_; }
  Hash root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> peaks_;  // roots of the perfect subtrees, largest first
};

}  // namespace windlass::log
