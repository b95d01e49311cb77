// Objects of the arena in the order of a key, found by it as the kernel finds them in its trees.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "properties/machine/arena.hpp"

namespace vcpr::machine {

/// Pointers, by the member function `key_of`, which no two share. Positions hold until the next insert or remove. At
/// the end both cost nothing; elsewhere the pointers behind move.
template <class T, auto key_of>
class SortedList {
 public:
  std::uint32_t size() const { return size_; }
  T& operator[](std::uint32_t position) const { return *entries_[position]; }
  T* const* begin() const { return entries_; }
  T* const* end() const { return entries_ + size_; }

  /// Of the first object whose key is not below `key`; size() when there is none.
  template <class Key>
  std::uint32_t first_from(const Key& key) const {
    T* const* found = std::partition_point(begin(), end(), [&](const T* each) { return (each->*key_of)() < key; });
    return static_cast<std::uint32_t>(found - entries_);
  }
  void insert(Arena& arena, T& object) {
    if (size_ == capacity_) grow(arena);
    const std::uint32_t position = first_from((object.*key_of)());
    std::copy_backward(entries_ + position, entries_ + size_, entries_ + size_ + 1);
    entries_[position] = &object;
    ++size_;
  }
  /// The object stays the caller's.
  void remove(std::uint32_t position) {
    std::copy(entries_ + position + 1, entries_ + size_, entries_ + position);
    --size_;
  }
  /// Forgets all objects and gives the room back.
  void clear(Arena& arena) {
    if (entries_ != nullptr) arena.give_back(std::exchange(entries_, nullptr), capacity_ * sizeof(T*));
    size_ = capacity_ = 0;
  }

 private:
  static constexpr std::uint32_t kFirstCapacity = 8;

  void grow(Arena& arena) {
    const std::uint32_t wider = std::max(kFirstCapacity, 2 * capacity_);
    T** grown = arena.make_array<T*>(wider);
    std::copy_n(entries_, size_, grown);
    if (entries_ != nullptr) arena.give_back(entries_, capacity_ * sizeof(T*));
    entries_ = grown;
    capacity_ = wider;
  }

  T** entries_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace vcpr::machine
