// Little-endian fields of a binary form. Reader and writer have one interface, so that the order of the fields is
// written once, as a template over both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vcpr::forms {

/// Reads from bytes that never run out: beyond the end there are zeros.
class Decoder {
 public:
  explicit Decoder(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  /// A stored value is the distance from the usual one, so that zero bytes give a plain input.
  template <class Value>
  void field(Value& value, std::uint64_t usual = 0) {
    std::uint64_t raw = 0;
    for (std::size_t i = 0; i < sizeof(Value); ++i) {
      std::uint64_t byte = at_ + i < bytes_.size() ? bytes_[at_ + i] : 0;
      raw |= byte << (8 * i);
    }
    at_ += sizeof(Value);
    value = static_cast<Value>(raw + usual);
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

class Encoder {
 public:
  explicit Encoder(std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}
  template <class Value>
  void field(const Value& value, std::uint64_t usual = 0) {
    std::uint64_t raw = static_cast<std::uint64_t>(value) - usual;
    for (std::size_t i = 0; i < sizeof(Value); ++i) bytes_.push_back(static_cast<std::uint8_t>(raw >> (8 * i)));
  }

 private:
  std::vector<std::uint8_t>& bytes_;
};

}  // namespace vcpr::forms
