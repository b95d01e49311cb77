// VFIO device files: info, interrupts, reset, BAR mappings.
#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

std::span<const Case> device_cases() {
  return {};
}

}  // namespace vcpr::conformance
