// The descriptors that belong to a stream, as an input describes them.
#pragma once

#include <vector>

#include "engine/wire/outbox.hpp"
#include "properties/machine/machine.hpp"
#include "properties/streams/transfer_input.hpp"

namespace vcpr::streams {

/// Puts the descriptors that `input` asks for into `holder`, close-on-exec, and says on which byte each rides. One that
/// does not come rides behind the last byte. The same input gives the same ones. Number -1: `holder` has no number
/// left.
std::vector<wire::RidingFd> make_rides(const TransferInput& input, machine::Process& holder);

}  // namespace vcpr::streams
