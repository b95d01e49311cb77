#include "properties/machine/vfio/type1_mappings.hpp"

#include <algorithm>
#include <utility>

namespace vcpr::machine {

namespace {

constexpr std::uint32_t kFirstCapacity = 16;

}  // namespace

std::uint32_t DmaMappings::first_from(std::uint64_t iova) const {
  DmaMapping** found =
      std::partition_point(entries_, entries_ + count_, [&](const DmaMapping* each) { return each->last() < iova; });
  return static_cast<std::uint32_t>(found - entries_);
}

DmaMapping* DmaMappings::find(std::uint64_t first, std::uint64_t last) const {
  const std::uint32_t position = first_from(first);
  return position < count_ && entries_[position]->iova <= last ? entries_[position] : nullptr;
}

DmaMapping& DmaMappings::insert(Arena& arena, const DmaMapping& mapping) {
  if (count_ == capacity_) {
    const std::uint32_t wider = std::max(kFirstCapacity, 2 * capacity_);
    auto** grown = arena.make_array<DmaMapping*>(wider);
    std::copy_n(entries_, count_, grown);
    if (entries_ != nullptr) arena.give_back(entries_, capacity_ * sizeof(DmaMapping*));
    entries_ = grown;
    capacity_ = wider;
  }
  const std::uint32_t position = first_from(mapping.iova);
  std::copy_backward(entries_ + position, entries_ + count_, entries_ + count_ + 1);
  ++count_;
  entries_[position] = arena.make<DmaMapping>(mapping);
  return *entries_[position];
}

void DmaMappings::remove(Arena& arena, std::uint32_t position) {
  arena.destroy(entries_[position]);
  std::copy(entries_ + position + 1, entries_ + count_, entries_ + position);
  --count_;
}

void DmaMappings::clear(Arena& arena) {
  while (count_ != 0) remove(arena, count_ - 1);
  if (entries_ != nullptr) arena.give_back(std::exchange(entries_, nullptr), capacity_ * sizeof(DmaMapping*));
  capacity_ = 0;
}

}  // namespace vcpr::machine
