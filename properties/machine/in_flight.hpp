// What is on its way between processes, for schedules that damage it: no calls, no trace but the effects.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "properties/machine/machine.hpp"

namespace vcpr::machine {

/// Bytes that were sent and not yet received, a piece each message, in the order the sockets were made. Good until the
/// next call.
std::vector<std::span<std::byte>> bytes_in_flight(Machine& machine);
/// Exchanges two neighbours among the descriptors of one message, the `where`th pair there is; false when there is
/// none.
bool swap_descriptors_in_flight(Machine& machine, std::uint32_t where);

}  // namespace vcpr::machine
