// What the files of this room share.
#pragma once

#include <cstdint>

#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

/// The last call of an attempt that an event can be pinned to; an attempt with 300 entries makes about as many.
inline constexpr std::uint32_t kMaxPinnedCall = 1023;

inline constexpr std::uint8_t kNameIndices = 8;  ///< functions of a PCI device; one digit

void normalise(Name& name);
/// `position`: in the list of entries.
void normalise(Entry& entry, std::size_t position);
/// The operand is the position of an entry.
bool refers_to_entry(const Event& event);

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

 private:
  std::uint64_t state_;
};

}  // namespace vcpr::scenario
