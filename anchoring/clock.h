// The wall clock, injected so that a test can live through years in seconds.
#pragma once

#include <cstdint>

namespace windlass {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_ms() const = 0;  // Unix time
};

class SystemClock final : public Clock {
 public:
  std::int64_t now_ms() const override;
};

}  // namespace windlass
