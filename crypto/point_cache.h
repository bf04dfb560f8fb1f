// The points of public keys that have signed. A compressed key leaves out its point's y, which costs a square
// root in the field to find again: an eighth of a verification. Whoever has verified a signature keeps the y
// here for the next.
//
// Any threads, without locks, and without the keys: of all y, only one of the key's parity is on the curve
// with its x, which whoever parses the uncompressed key checks anyway. So another key's y does no harm, nor
// does one that was read while it was written over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "crypto/secp256k1.h"

namespace windlass {

class PointCache {
 public:
  // Takes that much memory, as points come: 32 bytes each.
  explicit PointCache(std::size_t bytes);

  // Whether `parse` takes what may be the point of a compressed key of 33 bytes.
  template <typename Parse>
  bool find(ByteView key, Parse parse) const {
    UncompressedKey point{4};
    std::memcpy(point.data() + 1, key.data() + 1, 32);
    for (const Y& y : set_of(point).ys)
      if (read(y, point) && key[0] == (point.back() % 2 == 0 ? 2 : 3) && parse(view(point))) return true;
    return false;
  }
  // In place of another, where those that it may stand among are many.
  void keep(const UncompressedKey& point);

 private:
  // The bytes as they stand in a key; where there is none, zeros.
  struct Y {
    std::uint64_t words[4];
  };
  // A key's own, found by its x: two lines of the processor's cache. Whoever makes keys that meet there gains
  // nothing but square roots.
  struct alignas(128) Set {
    Y ys[4];
  };
  struct Unmap {
    std::size_t bytes;
    void operator()(Set* sets) const;
  };

  Set& set_of(const UncompressedKey& point) const;
  static bool read(const Y& y, UncompressedKey& point);  // false: there is none

  std::size_t count_;
  std::unique_ptr<Set[], Unmap> sets_;
};

}  // namespace windlass
