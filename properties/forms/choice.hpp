// What a mutator draws from.
#pragma once

#include <cstdint>

namespace vcpr::forms {

/// splitmix64: mutation's only source of choice, so that a seed says it all.
class Choice {
 public:
  explicit Choice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  /// 0 .. count-1; count above 0.
  std::uint32_t below(std::uint64_t count) { return static_cast<std::uint32_t>(next() % count); }
  /// Once in `count`.
  bool one_in(std::uint64_t count) { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace vcpr::forms
