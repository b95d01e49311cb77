// A forward reader over bytes in memory: big-endian integers, counted strings, a queue of descriptors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/wire/inbox.hpp"
#include "engine/wire/service_byte.hpp"

namespace vcpr::wire {

/// Never reads past its span, never copies it. A failed read leaves the offset where the field begins.
class Reader {
 public:
  /// `descriptors` may be empty; they are taken in order and moved from.
  explicit Reader(std::span<const std::byte> bytes, std::span<ArrivedFd> descriptors = {})
      : bytes_(bytes), descriptors_(descriptors) {}

  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return bytes_.size() - offset_; }
  bool at_end() const { return offset_ == bytes_.size(); }

  /// `what` names the field in the error. truncated at the offset of the field's first byte.
  Expected<std::uint8_t> u8(std::string_view what) { return big_endian<std::uint8_t>(what); }
  Expected<std::uint16_t> be16(std::string_view what) { return big_endian<std::uint16_t>(what); }
  Expected<std::uint32_t> be32(std::string_view what) { return big_endian<std::uint32_t>(what); }
  Expected<std::uint64_t> be64(std::string_view what) { return big_endian<std::uint64_t>(what); }
  /// A view into the stream, valid while the bytes live.
  Expected<std::span<const std::byte>> bytes(std::uint64_t count, std::string_view what);
  /// u8 length, then that many bytes, no NUL.
  Expected<std::string_view> counted_string(std::string_view what);
  /// The next byte without consuming it; nothing at the end.
  const std::byte* peek(std::uint64_t ahead = 0) const {
    return remaining() > ahead ? bytes_.data() + offset_ + ahead : nullptr;
  }
  std::span<const std::byte> rest() const { return bytes_.subspan(offset_); }
  /// The next `count` bytes, consumed; null when fewer are left. For a reader that words its own errors.
  const std::byte* take(std::uint64_t count) {
    if (remaining() < count) return nullptr;
    const std::byte* field = bytes_.data() + offset_;
    offset_ += count;
    return field;
  }

  /// A service byte and the descriptor that came with or before it. bad_service_byte, missing_descriptor (none came,
  /// or the next one came later than the byte), truncated.
  Expected<os::Fd> descriptor(std::string_view what);
  /// The same for a reader that words its own errors: null, and nothing consumed, where descriptor() refuses.
  os::Fd* take_descriptor() {
    if (at_end() || bytes_[offset_] != kServiceByte) return nullptr;
    if (descriptors_.empty() || descriptors_.front().first_byte > offset_) return nullptr;
    ++offset_;
    os::Fd* taken = &descriptors_.front().fd;
    descriptors_ = descriptors_.subspan(1);
    return taken;
  }
  /// Descriptors that no service byte has taken yet.
  std::size_t descriptors_left() const { return descriptors_.size(); }

 private:
  template <class Integer>
  Expected<Integer> big_endian(std::string_view what) {
    if (remaining() < sizeof(Integer)) return truncated(sizeof(Integer), what);
    Integer value = 0;
    for (std::byte byte : bytes_.subspan(offset_, sizeof(Integer))) {
      value = static_cast<Integer>(std::uint64_t{value} << 8 | std::to_integer<std::uint64_t>(byte));
    }
    offset_ += sizeof(Integer);
    return value;
  }
  std::unexpected<Error> truncated(std::uint64_t wanted, std::string_view what) const;

  std::span<const std::byte> bytes_;
  std::uint64_t offset_ = 0;
  std::span<ArrivedFd> descriptors_;
};

}  // namespace vcpr::wire
