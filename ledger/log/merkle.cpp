#include "ledger/log/merkle.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace windlass::log {
namespace {

using namespace std::string_view_literals;

using Hashes = std::span<const Hash>;

// A tree of `leaves` leaves, two or more, has its left child over this many: the largest power of two below.
std::uint64_t split_of(std::uint64_t leaves) {
  return std::bit_floor(leaves - 1);
}

// Root over the leaves [begin, end), where `begin` is a multiple of the smallest power of two that holds
// them.
Hash range_root(const NodeReader& nodes, std::uint64_t begin, std::uint64_t end) {
  std::uint64_t width = std::bit_floor(end - begin);
  int level = std::countr_zero(width);
  Hash left = nodes.node(level, begin >> level);
  return begin + width == end ? left : node_hash(left, range_root(nodes, begin + width, end));
}

// A path from a node to the root has two parts. The lower one, up to where the node's own edge meets the
// tree's right edge, has siblings on either side, as the bits of the node's place say; in the upper one all
// siblings are on the left.
struct PathShape {
  std::uint64_t inner;
  std::uint64_t border;
};
PathShape path_shape(std::uint64_t index, std::uint64_t size) {
  auto inner = static_cast<std::uint64_t>(std::bit_width(index ^ (size - 1)));
  std::uint64_t above = inner < 64 ? index >> inner : 0;
  return {inner, static_cast<std::uint64_t>(std::popcount(above))};
}

Hash climb_inner(Hash hash, Hashes siblings, std::uint64_t index) {
  for (const Hash& sibling : siblings) {
    hash = (index & 1) != 0 ? node_hash(sibling, hash) : node_hash(hash, sibling);
    index >>= 1;
  }
  return hash;
}

// Only the steps whose sibling is on the left: the path of the node in the tree that ends with it.
Hash climb_inner_left(Hash hash, Hashes siblings, std::uint64_t index) {
  for (const Hash& sibling : siblings) {
    if ((index & 1) != 0) hash = node_hash(sibling, hash);
    index >>= 1;
  }
  return hash;
}

Hash climb_border(Hash hash, Hashes siblings) {
  for (const Hash& sibling : siblings) hash = node_hash(sibling, hash);
  return hash;
}

}  // namespace

Hash leaf_hash(ByteView leaf) {
  return sha256({"\x00"sv, leaf});
}

Hash node_hash(const Hash& left, const Hash& right) {
  char bytes[65] = {1};
  std::memcpy(bytes + 1, left.data(), 32);
  std::memcpy(bytes + 33, right.data(), 32);
  return sha256(ByteView(bytes, sizeof bytes));
}

Hash empty_root() {
  return sha256(""sv);
}

Hash root_of(Hashes leaves) {
  if (leaves.empty()) return empty_root();
  if (leaves.size() == 1) return leaves[0];
  std::uint64_t split = split_of(leaves.size());
  return node_hash(root_of(leaves.first(split)), root_of(leaves.subspan(split)));
}

bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, const Proof& proof,
                      const Hash& root) {
  if (index >= size) return false;
  PathShape shape = path_shape(index, size);
  if (proof.size() != shape.inner + shape.border) return false;
  Hashes path(proof);
  return climb_border(climb_inner(leaf, path.first(shape.inner), index), path.subspan(shape.inner)) == root;
}

bool verify_consistency(std::uint64_t old_size, const Hash& old_root, std::uint64_t size, const Hash& root,
                        const Proof& proof) {
  if (old_size > size) return false;
  if (old_size == size) return proof.empty() && old_root == root && (size != 0 || root == empty_root());
  if (old_size == 0) return proof.empty() && old_root == empty_root();

  // The path starts at the largest perfect subtree that ends the old tree. The proof names it first, unless
  // it is the whole old tree, whose root is known.
  int level = std::countr_zero(old_size);
  PathShape shape = path_shape(old_size - 1, size);
  shape.inner -= static_cast<std::uint64_t>(level);
  bool start_is_known = std::has_single_bit(old_size);
  if (proof.size() != shape.inner + shape.border + (start_is_known ? 0 : 1)) return false;

  const Hash& start = start_is_known ? old_root : proof[0];
  Hashes path = Hashes(proof).subspan(start_is_known ? 0 : 1);
  Hashes inner = path.first(shape.inner), border = path.subspan(shape.inner);
  std::uint64_t index = (old_size - 1) >> level;
  return climb_border(climb_inner_left(start, inner, index), border) == old_root &&
         climb_border(climb_inner(start, inner, index), border) == root;
}

std::optional<Hash> claimed_old_root(std::uint64_t old_size, std::uint64_t size, const Proof& proof) {
  if (old_size == 0 || old_size >= size || std::has_single_bit(old_size)) return std::nullopt;
  int level = std::countr_zero(old_size);
  PathShape shape = path_shape(old_size - 1, size);
  shape.inner -= static_cast<std::uint64_t>(level);
  if (proof.size() != shape.inner + shape.border + 1) return std::nullopt;
  Hashes path = Hashes(proof).subspan(1);
  return climb_border(climb_inner_left(proof[0], path.first(shape.inner), (old_size - 1) >> level),
                      path.subspan(shape.inner));
}

Hash root_at(const NodeReader& nodes, std::uint64_t size) {
  return size == 0 ? empty_root() : range_root(nodes, 0, size);
}

Proof inclusion_proof(const NodeReader& nodes, std::uint64_t index, std::uint64_t size) {
  assert(index < size);
  Proof proof;
  for (std::uint64_t begin = 0, end = size; end - begin > 1;) {
    std::uint64_t split = begin + split_of(end - begin);
    bool is_left = index < split;
    proof.push_back(is_left ? range_root(nodes, split, end) : range_root(nodes, begin, split));
    (is_left ? end : begin) = split;
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

Proof consistency_proof(const NodeReader& nodes, std::uint64_t old_size, std::uint64_t size) {
  assert(old_size <= size);
  Proof proof;
  if (old_size == 0 || old_size == size) return proof;
  std::uint64_t begin = 0, end = size;
  while (end != old_size) {
    std::uint64_t split = begin + split_of(end - begin);
    bool is_left = old_size <= split;
    proof.push_back(is_left ? range_root(nodes, split, end) : range_root(nodes, begin, split));
    (is_left ? end : begin) = split;
  }
  if (begin != 0) proof.push_back(range_root(nodes, begin, end));
  std::reverse(proof.begin(), proof.end());
  return proof;
}

Tree::Tree(std::vector<Hash> leaves) : size_(leaves.size()), nodes_(std::move(leaves)) {
  nodes_.reserve(2 * size_);
  std::uint64_t level = 0;  // where it begins
  for (std::uint64_t width = size_; width > 1; level += width, width /= 2)
    for (std::uint64_t i = 0; i + 1 < width; i += 2)
      nodes_.push_back(node_hash(nodes_[level + i], nodes_[level + i + 1]));
}

Hash Tree::node(int level, std::uint64_t index) const {
  std::uint64_t begin = 0;
  for (int below = 0; below < level; ++below) begin += size_ >> below;
  return nodes_[begin + index];
}

std::optional<CompactRange> CompactRange::resume(std::uint64_t size, std::vector<Hash> peaks) {
  if (peaks.size() != static_cast<std::size_t>(std::popcount(size))) return std::nullopt;
  CompactRange range;
  range.size_ = size;
  range.peaks_ = std::move(peaks);
  return range;
}

void CompactRange::append(const Hash& leaf) {
  Hash peak = leaf;
  for (std::uint64_t rest = size_; (rest & 1) != 0; rest >>= 1) {
    peak = node_hash(peaks_.back(), peak);
    peaks_.pop_back();
  }
  peaks_.push_back(peak);
  ++size_;
}

Hash CompactRange::root() const {
  if (peaks_.empty()) return empty_root();
  Hash root = peaks_.back();
  for (auto peak = peaks_.rbegin() + 1; peak != peaks_.rend(); ++peak) root = node_hash(*peak, root);
  return root;
}

}  // namespace windlass::log
