// A cheap deterministic hash of a key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/store/key.hpp"

namespace vcpr::store {

/// One multiplication per eight bytes of the name. Not seeded, so that equal inputs take equal time; nothing visible
/// depends on its values.
inline std::uint32_t hash_of(Key key) {
  constexpr std::uint64_t kGolden = 0x9e37'79b9'7f4a'7c15;
  std::uint64_t hash = (std::uint64_t{static_cast<std::uint32_t>(key.id)} << 32 | key.name.size()) * kGolden;
  auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kGolden;
    hash ^= hash >> 32;
  };
  auto word_at = [](const char* from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
  };
  const char* text = key.name.data();
  std::size_t left = key.name.size();
  if (left >= 8) {
    for (; left > 8; text += 8, left -= 8) mix(word_at(text));
    mix(word_at(text + left - 8));  // overlaps the word before it
  } else {
    std::uint64_t word = 0;
    for (std::size_t byte = 0; byte < left; ++byte) word = word << 8 | static_cast<unsigned char>(text[byte]);
    mix(word);
  }
  hash *= kGolden;
  return static_cast<std::uint32_t>(hash >> 32);
}

}  // namespace vcpr::store
