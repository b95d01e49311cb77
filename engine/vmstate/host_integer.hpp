// Integers of 1, 2, 4 or 8 bytes between the stream (big-endian) and memory (the host's order).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vcpr::vmstate {

template <class Integer>
std::uint64_t from_big_endian(const std::byte* bytes) {
  Integer value;
  std::memcpy(&value, bytes, sizeof value);
  return std::endian::native == std::endian::big ? value : std::byteswap(value);
}
inline std::uint64_t big_endian_at(const std::byte* bytes, std::size_t width) {
  switch (width) {
    case 1:
      return from_big_endian<std::uint8_t>(bytes);
    case 2:
      return from_big_endian<std::uint16_t>(bytes);
    case 4:
      return from_big_endian<std::uint32_t>(bytes);
    default:
      return from_big_endian<std::uint64_t>(bytes);
  }
}

template <class Integer>
void store_as(void* to, std::uint64_t value) {
  auto narrow = static_cast<Integer>(value);
  std::memcpy(to, &narrow, sizeof narrow);
}
template <class Integer>
std::uint64_t load_as(const void* from) {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void store_host(void* to, std::uint64_t value, std::size_t width) {
  switch (width) {
    case 1:
      return store_as<std::uint8_t>(to, value);
    case 2:
      return store_as<std::uint16_t>(to, value);
    case 4:
      return store_as<std::uint32_t>(to, value);
    default:
      return store_as<std::uint64_t>(to, value);
  }
}

inline std::uint64_t load_host(const void* from, std::size_t width) {
  switch (width) {
    case 1:
      return load_as<std::uint8_t>(from);
    case 2:
      return load_as<std::uint16_t>(from);
    case 4:
      return load_as<std::uint32_t>(from);
    default:
      return load_as<std::uint64_t>(from);
  }
}

/// The value as a signed number of that width.
inline std::int64_t sign_extended(std::uint64_t value, std::size_t width) {
  std::size_t unused = 64 - 8 * width;
  return static_cast<std::int64_t>(value << unused) >> unused;
}

}  // namespace vcpr::vmstate
