#include "crypto/point_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <new>

namespace windlass {
namespace {

constexpr std::size_t x_at = 1, y_at = 33;  // in an uncompressed key

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
PointCache::PointCache(std::size_t bytes) : count_(std::max<std::size_t>(bytes / sizeof(Set), 1)) {
  bytes = count_ * sizeof(Set);
  void* sets = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (sets == MAP_FAILED) throw std::bad_alloc();
  sets_ = {static_cast<Set*>(sets), Unmap{bytes}};
}

PointCache::Set& PointCache::set_of(const UncompressedKey& point) const {
  std::uint64_t x;
  std::memcpy(&x, point.data() + x_at, sizeof x);
  return sets_[x % count_];
}

bool PointCache::read(const Y& y, UncompressedKey& point) {
  std::uint64_t words[4];
  std::transform(y.words, y.words + 4, words, load);
  std::memcpy(point.data() + y_at, words, sizeof words);
  return words[0] != 0;
}

void PointCache::keep(const UncompressedKey& point) {
  Y kept;
  std::memcpy(kept.words, point.data() + y_at, sizeof kept.words);
  auto& ys = set_of(point).ys;
  auto* place = std::find_if(std::begin(ys), std::end(ys), [&](const Y& y) {
    std::uint64_t first = load(y.words[0]);
    return first == 0 || first == kept.words[0];
  });
  if (place == std::end(ys)) place = &ys[kept.words[0] % std::size(ys)];
  for (std::size_t i = 0; i < std::size(kept.words); ++i) store(place->words[i], kept.words[i]);
}

}  // namespace windlass
