// One attempt of a handover, driven as two VMMs would drive it from their main loops.
#pragma once

#include <cstdint>
#include <string>

#include "properties/scenario/events.hpp"
#include "properties/scenario/play.hpp"

namespace vcpr::scenario {

/// By a socket: source and target step in turns.
Ending attempt_transfer(Play& play, Events& events, std::uint8_t handover, std::string& ending);
/// By execve.
Ending attempt_exec(Play& play, Events& events, std::uint8_t handover, std::string& ending);

handover::Peer accepted_peer(const Scenario& scenario);

}  // namespace vcpr::scenario
