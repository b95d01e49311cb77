// A cheap deterministic hash of a key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/store/key.hpp"

namespace vcpr::store {

/// One multiplication per sixteen bytes of the name. Not seeded, so that equal inputs take equal time; nothing visible
/// depends on its values.
inline std::uint32_t hash_of(const Key& key) {
  constexpr std::uint64_t kFirst = 0x9e37'79b9'7f4a'7c15;  // 2^64 divided by the golden ratio
  constexpr std::uint64_t kSecond = 0xc2b2'ae3d'27d4'eb4f;
  auto fold = [](std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  auto word_at = [](const char* from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
  };
  const char* text = key.name.data();
  std::size_t left = key.name.size();
  std::uint64_t hash = std::uint64_t{static_cast<std::uint32_t>(key.id)} << 32 | left;
  for (; left > 16; text += 16, left -= 16) hash = fold(word_at(text) ^ kFirst, word_at(text + 8) ^ hash);
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  if (left >= 8) {
    head = word_at(text);
    tail = word_at(text + left - 8);  // may overlap the head
  } else {
    for (std::size_t byte = 0; byte < left; ++byte) head = head << 8 | static_cast<unsigned char>(text[byte]);
  }
  hash = fold(fold(head ^ kFirst, tail ^ kSecond ^ hash), kSecond);
  return static_cast<std::uint32_t>(hash >> 32);
}

}  // namespace vcpr::store
