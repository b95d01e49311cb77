#include "engine/wire/writer.hpp"

#include <array>
#include <cassert>

namespace vcpr::wire {

namespace {

template <class Integer>
std::array<std::byte, sizeof(Integer)> big_endian(Integer value) {
  std::array<std::byte, sizeof(Integer)> bytes;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes[i] = static_cast<std::byte>(value >> 8 * (sizeof(Integer) - 1 - i));
  }
  return bytes;
}

}  // namespace

void Writer::u8(std::uint8_t value) {
  out_.bytes.push_back(std::byte{value});
}
void Writer::be16(std::uint16_t value) {
  bytes(big_endian(value));
}
void Writer::be32(std::uint32_t value) {
  bytes(big_endian(value));
}
void Writer::be64(std::uint64_t value) {
  bytes(big_endian(value));
}

void Writer::bytes(std::span<const std::byte> bytes) {
  out_.bytes.insert(out_.bytes.end(), bytes.begin(), bytes.end());
}

void Writer::text(std::string_view text) {
  bytes(std::as_bytes(std::span(text)));
}

void Writer::counted_string(std::string_view text) {
  assert(text.size() <= kCountedStringBytes);
  u8(static_cast<std::uint8_t>(text.size()));
  this->text(text);
}

void Writer::descriptor(int number) {
  out_.descriptors.push_back({.offset = offset(), .number = number});
  out_.bytes.push_back(kServiceByte);
}

}  // namespace vcpr::wire
