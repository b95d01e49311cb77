// Appends big-endian integers, counted strings and descriptors to an Outbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/wire/outbox.hpp"
#include "engine/wire/service_byte.hpp"

namespace vcpr::wire {

/// What a counted string can hold: its length is one byte.
inline constexpr std::size_t kCountedStringBytes = 255;

class Writer {
 public:
  explicit Writer(Outbox& out) : out_(out) {}
  std::uint64_t offset() const { return out_.bytes.size(); }

  void u8(std::uint8_t value) { out_.bytes.push_back(std::byte{value}); }
  void be16(std::uint16_t value);
  void be32(std::uint32_t value);
  void be64(std::uint64_t value);
  void bytes(std::span<const std::byte> bytes);
  void text(std::string_view text);  ///< the characters only
  /// u8 length, then the characters; at most kCountedStringBytes of them.
  void counted_string(std::string_view text);
  /// One service byte on which `number` rides.
  void descriptor(int number);

 private:
  Outbox& out_;
};

}  // namespace vcpr::wire
