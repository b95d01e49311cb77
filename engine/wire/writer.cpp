#include "engine/wire/writer.hpp"

#include <cassert>

namespace vcpr::wire {

namespace {

template <class Integer>
void append_big_endian(std::vector<std::byte>& bytes, Integer value) {
  // Byte by byte: vector::insert costs four times as much for so few.
  for (std::size_t left = sizeof(Integer); left > 0; --left) {
    bytes.push_back(static_cast<std::byte>(value >> 8 * (left - 1)));
  }
}

}  // namespace

void Writer::be16(std::uint16_t value) {
  append_big_endian(out_.bytes, value);
}
void Writer::be32(std::uint32_t value) {
  append_big_endian(out_.bytes, value);
}
void Writer::be64(std::uint64_t value) {
  append_big_endian(out_.bytes, value);
}

void Writer::bytes(std::span<const std::byte> bytes) {
  out_.bytes.insert(out_.bytes.end(), bytes.data(), bytes.data() + bytes.size());
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
