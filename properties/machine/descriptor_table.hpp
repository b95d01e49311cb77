// A process's descriptor table: numbers, what they refer to, close-on-exec; the lowest free number first.
#pragma once

#include <cstdint>

#include "properties/machine/arena.hpp"

namespace vcpr::machine {

struct Description;

struct Slot {
  Description* description = nullptr;  ///< null: free
  bool close_on_exec = false;
};

/// Holds no references by itself: who puts and takes counts them.
class DescriptorTable {
 public:
  explicit DescriptorTable(Arena& arena);
  void destroy(Arena& arena);

  Slot* find(int number) {
    if (number < 0 || static_cast<std::uint32_t>(number) >= capacity_) return nullptr;
    Slot& slot = slots_[number];
    return slot.description != nullptr ? &slot : nullptr;
  }
  const Slot* find(int number) const { return const_cast<DescriptorTable*>(this)->find(number); }
  /// May be at or beyond any limit: the caller compares.
  std::uint32_t lowest_free(std::uint32_t from = 0) const;
  /// `number` must be free.
  void put(Arena& arena, std::uint32_t number, Description& description, bool close_on_exec);
  /// `number` must be taken.
  Description& take(std::uint32_t number);
  std::uint32_t open() const { return open_; }
  /// Numbers at or beyond this are free.
  std::uint32_t end() const { return capacity_; }

 private:
  static constexpr std::uint32_t kFirstCapacity = 16;
  static constexpr std::uint32_t kBitsPerWord = 64;
  static std::uint32_t words(std::uint32_t capacity) { return (capacity + kBitsPerWord - 1) / kBitsPerWord; }
  void grow(Arena& arena, std::uint32_t number);

  Slot* slots_;
  std::uint64_t* used_;  // one bit per slot
  std::uint32_t capacity_ = kFirstCapacity;
  std::uint32_t open_ = 0;
};

}  // namespace vcpr::machine
