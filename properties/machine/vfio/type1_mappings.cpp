#include "properties/machine/vfio/type1_mappings.hpp"

namespace vcpr::machine {

DmaMapping* DmaMappings::find(std::uint64_t first, std::uint64_t last) const {
  const std::uint32_t position = first_from(first);
  return position < count() && at(position).iova <= last ? &at(position) : nullptr;
}

DmaMapping& DmaMappings::insert(Arena& arena, const DmaMapping& mapping) {
  auto* made = arena.make<DmaMapping>(mapping);
  entries_.insert(arena, *made);
  return *made;
}

void DmaMappings::remove(Arena& arena, std::uint32_t position) {
  DmaMapping* gone = &entries_[position];
  entries_.remove(position);
  arena.destroy(gone);
}

void DmaMappings::clear(Arena& arena) {
  while (count() != 0) remove(arena, count() - 1);
  entries_.clear(arena);
}

}  // namespace vcpr::machine
