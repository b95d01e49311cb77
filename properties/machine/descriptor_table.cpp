#include "properties/machine/descriptor_table.hpp"

#include <algorithm>
#include <bit>

namespace vcpr::machine {

DescriptorTable::DescriptorTable(Arena& arena)
    : slots_(arena.make_array<Slot>(kFirstCapacity)), used_(arena.make_array<std::uint64_t>(words(kFirstCapacity))) {}

void DescriptorTable::destroy(Arena& arena) {
  arena.give_back(slots_, capacity_ * sizeof(Slot));
  arena.give_back(used_, words(capacity_) * sizeof(std::uint64_t));
}

std::uint32_t DescriptorTable::lowest_free(std::uint32_t from) const {
  if (from >= capacity_) return from;
  std::uint32_t word = from / kBitsPerWord;
  std::uint64_t free = ~used_[word] & (~std::uint64_t{0} << from % kBitsPerWord);
  while (free == 0 && ++word < words(capacity_)) free = ~used_[word];
  return word * kBitsPerWord + (free != 0 ? static_cast<std::uint32_t>(std::countr_zero(free)) : 0);
}

void DescriptorTable::put(Arena& arena, std::uint32_t number, Description& description, bool close_on_exec) {
  if (number >= capacity_) grow(arena, number);
  slots_[number] = {&description, close_on_exec};
  used_[number / kBitsPerWord] |= std::uint64_t{1} << number % kBitsPerWord;
  ++open_;
}

Description& DescriptorTable::take(std::uint32_t number) {
  used_[number / kBitsPerWord] &= ~(std::uint64_t{1} << number % kBitsPerWord);
  --open_;
  return *std::exchange(slots_[number].description, nullptr);
}

void DescriptorTable::grow(Arena& arena, std::uint32_t number) {
  DescriptorTable old = *this;
  while (capacity_ <= number) capacity_ *= 2;
  slots_ = arena.make_array<Slot>(capacity_);
  used_ = arena.make_array<std::uint64_t>(words(capacity_));
  std::copy_n(old.slots_, old.capacity_, slots_);
  std::copy_n(old.used_, words(old.capacity_), used_);
  old.destroy(arena);
}

}  // namespace vcpr::machine
