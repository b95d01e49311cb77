// Plays the calls of a device sequence on one side.
#pragma once

#include "properties/conformance/case.hpp"
#include "properties/conformance/device_sequence.hpp"

namespace vcpr::conformance {

/// One line per call into `lines`.
void play_device_sequence(const DeviceSequence& sequence, World& world, Report& lines);

}  // namespace vcpr::conformance
