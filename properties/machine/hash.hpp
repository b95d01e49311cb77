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
  void word(std::uint64_t value) { state_ = (std::rotl(state_, 23) ^ value) * 0x9fb21c651e98df25u; }
  void bytes(std::span<const std::byte> bytes) {
    word(bytes.size());
    while (bytes.size() >= sizeof(std::uint64_t)) {
      std::uint64_t value = 0;
      std::memcpy(&value, bytes.data(), sizeof value);
      word(value);
      bytes = bytes.subspan(sizeof value);
    }
    std::uint64_t rest = 0;
    if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
    word(rest);
  }
  void text(std::string_view text) { bytes(std::as_bytes(std::span(text))); }
  std::uint64_t value() const {
    std::uint64_t mixed = (state_ ^ (state_ >> 32)) * 0xd6e8feb86659fd93u;
    return mixed ^ (mixed >> 32);
  }

 private:
  std::uint64_t state_ = 0x243f6a8885a308d3u;
};

}  // namespace vcpr::machine
