// A small generator whose whole state is its seed: the same seed gives the same mutant.
#pragma once

#include <cstdint>

namespace vcpr::streams {

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators").
class Random {
 public:
  /// Neighbouring seeds give unrelated sequences.
  explicit Random(std::uint64_t seed) : state_((seed + 1) * 0x9e3779b97f4a7c15u | 1) {}

  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1du;
  }
  /// 0..bound-1; 0 for a bound of 0.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : (next() >> 16) % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace vcpr::streams
