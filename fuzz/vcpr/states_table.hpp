// What was seen of phase x event x outcome, as people read it.
#pragma once

#include <span>

#include "properties/sweeps/tally.hpp"

namespace vcpr::tool {

/// Each phase and event that met, how the attempts ended, and which of `events` never came in which phase.
void print_states(const sweeps::Tally& tally, std::span<const vm_scenario::Action> events);

}  // namespace vcpr::tool
