// iommufd: ids, mappings, HWPTs, BIND and ATTACH, CHANGE_PROCESS.
#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

std::span<const Case> iommufd_cases() {
  return {};
}

}  // namespace vcpr::conformance
