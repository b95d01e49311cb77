// The handovers that sweeps disturb: each mode, back end, interrupt and capability of the host, with a name.
#pragma once

#include <string>
#include <vector>

#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::sweeps {

/// One handover that nothing disturbs.
struct Canonical {
  std::string name;                ///< "transfer.legacy.msix.shared-eventfds"
  vm_scenario::Scenario scenario;  ///< normal; the handover is its last step
};

/// In a fixed order, each name once.
std::vector<Canonical> canonical();

}  // namespace vcpr::sweeps
