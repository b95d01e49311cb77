// Which step met which phase, visible to a fuzzing engine.
#pragma once

#include "properties/vm_scenario/run.hpp"

namespace vcpr::vm_scenario {

/// Passes through an edge of its own for each phase of the source with each action, and each step of the target with
/// each action: what an engine that looks for new edges then looks for.
void mark(const Seen& seen);

}  // namespace vcpr::vm_scenario
