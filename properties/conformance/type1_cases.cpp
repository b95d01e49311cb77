// type1: map, unmap, vaddr invalidate and update, accounting, dirty tracking.
#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

std::span<const Case> type1_cases() {
  return {};
}

}  // namespace vcpr::conformance
