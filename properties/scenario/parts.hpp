// What the files of this room share.
#pragma once

#include <cstdint>

#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

/// The last call of an attempt that an event can be pinned to; an attempt with 300 entries makes about as many.
inline constexpr std::uint32_t kMaxPinnedCall = 1023;

inline constexpr std::uint8_t kNameIndices = 8;  ///< functions of a PCI device; one digit

void normalise(Name& name);
/// `position`: in the list of entries.
void normalise(Entry& entry, std::size_t position);
/// The operand is the position of an entry.
bool refers_to_entry(const Event& event);

}  // namespace vcpr::scenario
