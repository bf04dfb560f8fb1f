#include "crypto/point_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <new>

namespace windlass {
namespace {

std::uint64_t load(const std::uint64_t& word) {
  return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_relaxed);
}
void store(std::uint64_t& word, std::uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_relaxed);
}

}  // namespace

void PointCache::Unmap::operator()(Set* sets) const {
  munmap(sets, bytes);
}

// Mapped, not allocated: pages that no key has come to take no memory.
PointCache::PointCache(std::size_t bytes) : sets_(std::max<std::size_t>(bytes / sizeof(Set), 1)) {
  bytes = sets_ * sizeof(Set);
  void* sets = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (sets == MAP_FAILED) throw std::bad_alloc();
  points_ = {static_cast<Set*>(sets), Unmap{bytes}};
}

PointCache::Set& PointCache::set_of(const Point& point) const {
  return points_[point.x[0] % sets_];
}

std::optional<UncompressedKey> PointCache::find(ByteView key) const {
  Point wanted;
  std::memcpy(wanted.x, key.data() + 1, sizeof wanted.x);
  for (const Point& point : set_of(wanted).points) {
    if (!std::equal(wanted.x, wanted.x + 4, point.x, [](auto a, const auto& b) { return a == load(b); }))
      continue;
    std::transform(point.y, point.y + 4, wanted.y, load);
    UncompressedKey found{4};
    std::memcpy(found.data() + 1, wanted.x, sizeof wanted.x);
    std::memcpy(found.data() + 33, wanted.y, sizeof wanted.y);
    if (key[0] == (found.back() % 2 == 0 ? 2 : 3)) return found;
  }
  return std::nullopt;
}

void PointCache::keep(const UncompressedKey& key) {
  Point kept;
  std::memcpy(kept.x, key.data() + 1, sizeof kept.x);
  std::memcpy(kept.y, key.data() + 33, sizeof kept.y);
  auto& points = set_of(kept).points;
  auto* place = std::find_if(points, points + points_a_set, [&](const Point& point) {
    std::uint64_t x = load(point.x[0]);
    return x == 0 || x == kept.x[0];
  });
  if (place == points + points_a_set) place = &points[kept.y[0] % points_a_set];
  for (std::size_t i = 0; i < 4; ++i) {
    store(place->x[i], kept.x[i]);
    store(place->y[i], kept.y[i]);
  }
}

}  // namespace windlass
