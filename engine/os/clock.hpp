// Time is the Kernel's: nanoseconds of its monotonic clock, and deadlines made from them.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace vcpr::os {

struct Duration {
  std::uint64_t nanoseconds = 0;
  static constexpr Duration milliseconds(std::uint64_t n) { return {n * 1'000'000}; }
  static constexpr Duration seconds(std::uint64_t n) { return {n * 1'000'000'000}; }
  constexpr auto operator<=>(const Duration&) const = default;
};

/// A moment of Kernel::now(). The greatest value means never.
struct Deadline {
  std::uint64_t nanoseconds = std::numeric_limits<std::uint64_t>::max();
  static constexpr Deadline never() { return {}; }
  static constexpr Deadline after(std::uint64_t now, Duration wait) {
    std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
    return {wait.nanoseconds > limit - now ? limit : now + wait.nanoseconds};
  }
  constexpr bool passed(std::uint64_t now) const { return now >= nanoseconds; }
  constexpr auto operator<=>(const Deadline&) const = default;
};

}  // namespace vcpr::os
