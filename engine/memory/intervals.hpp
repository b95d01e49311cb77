// Ranges of whole pages that must not overlap.
#pragma once

#include <cstdint>
#include <iterator>

#include "engine/memory/ram_block.hpp"

namespace vcpr::memory {

/// At least one page, all whole, and not beyond 2^64.
constexpr bool is_whole_pages(std::uint64_t begin, std::uint64_t size) {
  return size != 0 && begin % kPageBytes == 0 && size % kPageBytes == 0 && begin + (size - 1) >= begin;
}

/// Whether [offset, offset + size) is within [0, limit).
constexpr bool fits(std::uint64_t offset, std::uint64_t size, std::uint64_t limit) {
  return offset <= limit && size <= limit - offset;
}

/// Whether [begin, begin + size) meets one of the disjoint ranges of `map`, which is ordered by where they begin;
/// `size` is not 0.
template <class Map>
bool overlaps(const Map& map, std::uint64_t begin, std::uint64_t size) {
  auto after = map.upper_bound(begin + (size - 1));
  if (after == map.begin()) return false;
  const auto& [other, range] = *std::prev(after);
  return other + (range.size - 1) >= begin;
}

}  // namespace vcpr::memory
