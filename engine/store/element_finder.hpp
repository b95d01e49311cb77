// Where in a CPR state an element begins that was read before: only an error asks for that, so nothing is kept for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/wire/reader.hpp"

namespace vcpr::store {

/// Walks a list of { marker, be32 length, name and NUL, `tail` bytes } that is known to be valid as far as it is asked.
class ElementFinder {
 public:
  /// `offset` of the list's first marker.
  ElementFinder(std::span<const std::byte> bytes, std::uint64_t offset, std::uint64_t tail)
      : in_(bytes.subspan(offset)), begin_(offset), tail_(tail) {}

  /// Where the first element begins that satisfies wanted(name, first word of the tail).
  template <class Wanted>
  std::uint64_t find(Wanted wanted) {
    while (next()) {
      if (wanted(name_, word_)) break;
    }
    return element_;
  }
  /// The byte after the list's end marker.
  std::uint64_t end() {
    while (next()) continue;
    return begin_ + in_.offset();
  }

 private:
  bool next() {
    if (in_.u8("marker").value_or(0) == 0) return false;
    element_ = begin_ + in_.offset();
    std::uint32_t length = in_.be32("length").value_or(1);
    auto text = in_.bytes(length, "name").value_or(std::span<const std::byte>{});
    name_ = {reinterpret_cast<const char*>(text.data()), text.empty() ? 0 : text.size() - 1};
    word_ = static_cast<std::int32_t>(in_.be32("tail").value_or(0));
    return in_.bytes(tail_ - 4, "tail").has_value();
  }

  wire::Reader in_;
  std::uint64_t begin_;
  std::uint64_t tail_;
  std::uint64_t element_ = 0;
  std::string_view name_;
  std::int32_t word_ = 0;
};

}  // namespace vcpr::store
