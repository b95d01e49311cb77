// KVM: irqfds, routes, the VFIO device, who may call.
#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

std::span<const Case> kvm_cases() {
  return {};
}

}  // namespace vcpr::conformance
