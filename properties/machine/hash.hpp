// The machine's trace as one number: a fast 64-bit mix of words and bytes, the same on every run.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace vcpr::machine {

class Hasher {
 public:
  void word(std::uint64_t value) { state_ = mixed(state_, value); }
  void bytes(std::span<const std::byte> bytes) {
    word(bytes.size());
    const std::byte* next = bytes.data();
    std::size_t left = bytes.size();
    if (left >= kBlockBytes) blocks(next, left);
    for (; left >= kWordBytes; next += kWordBytes, left -= kWordBytes) word(word_at(next));
    std::uint64_t rest = 0;
    if (left != 0) std::memcpy(&rest, next, left);
    word(rest);
  }
  void text(std::string_view text) { bytes(std::as_bytes(std::span(text))); }
  std::uint64_t value() const {
    std::uint64_t last = (state_ ^ (state_ >> 32)) * 0xd6e8feb86659fd93u;
    return last ^ (last >> 32);
  }

 private:
  static constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
  static constexpr std::size_t kBlockBytes = 4 * kWordBytes;

  static std::uint64_t mixed(std::uint64_t state, std::uint64_t value) {
    return (std::rotl(state, 23) ^ value) * 0x9fb21c651e98df25u;
  }
  static std::uint64_t word_at(const std::byte* from) {
    std::uint64_t value = 0;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  /// Takes whole blocks from the front: four states that need not wait for one another.
  void blocks(const std::byte*& next, std::size_t& left) {
    std::uint64_t a = state_;
    std::uint64_t b = ~state_;
    std::uint64_t c = std::rotl(state_, 16);
    std::uint64_t d = std::rotl(state_, 48);
    for (; left >= kBlockBytes; next += kBlockBytes, left -= kBlockBytes) {
      a = mixed(a, word_at(next));
      b = mixed(b, word_at(next + kWordBytes));
      c = mixed(c, word_at(next + 2 * kWordBytes));
      d = mixed(d, word_at(next + 3 * kWordBytes));
    }
    for (const std::uint64_t each : {a, b, c, d}) word(each);
  }

  std::uint64_t state_ = 0x243f6a8885a308d3u;
};

}  // namespace vcpr::machine
