// Values and lists of a model: into their ranges, and changed by a mutator.
#pragma once

#include <cstdint>
#include <vector>

#include "properties/forms/choice.hpp"

namespace vcpr::forms {

/// To one of the first `count` values, unchanged when it is one already.
template <class Enum>
void wrap_enum(Enum& value, std::uint8_t count) {
  value = static_cast<Enum>(static_cast<std::uint8_t>(value) % count);
}

/// Into low .. high, unchanged when there already.
template <class Number>
void wrap(Number& value, std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return;
  value = static_cast<Number>(low + value % (high - low + 1));
}

template <class Item>
void limit(std::vector<Item>& items, std::size_t most) {
  if (items.size() > most) items.resize(most);
}

template <class Item>
void insert(std::vector<Item>& items, std::size_t at, Item item) {
  items.insert(items.begin() + static_cast<std::ptrdiff_t>(at), item);
}

template <class Item>
void erase(std::vector<Item>& items, std::size_t from, std::size_t count) {
  auto first = items.begin() + static_cast<std::ptrdiff_t>(from);
  items.erase(first, first + static_cast<std::ptrdiff_t>(count));
}

}  // namespace vcpr::forms
