// The points of public keys that have signed. A compressed key leaves out its point's y, which costs a square
// root in the field to find again: an eighth of a verification. Whoever has verified a signature keeps the
// point here for the next.
//
// Any threads, without locks. A point is read while another takes its place: what is read may be half of
// each. It needs no more care than that: x must be the key's, and of all y only one of the key's parity is on
// the curve, which whoever parses the uncompressed key checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "crypto/secp256k1.h"

namespace windlass {

class PointCache {
 public:
  // Takes that much memory, as points come.
  explicit PointCache(std::size_t bytes);

  // The point of a compressed key of 33 bytes, if it is here; perhaps not on the curve.
  std::optional<UncompressedKey> find(ByteView key) const;
  // In place of another, where those that it may stand among are many.
  void keep(const UncompressedKey& key);

 private:
  // The bytes as they stand in a key; where there is none, zeros. A line of the processor's cache.
  struct alignas(64) Point {
    std::uint64_t x[4];
    std::uint64_t y[4];
  };
  // A key's own, found by its x. Whoever makes keys that meet there gains nothing but square roots.
  static constexpr std::size_t points_a_set = 4;
  struct Set {
    Point points[points_a_set];
  };
  struct Unmap {
    std::size_t bytes;
    void operator()(Set* sets) const;
  };

  Set& set_of(const Point& point) const;

  std::size_t sets_;
  std::unique_ptr<Set[], Unmap> points_;
};

}  // namespace windlass
