// What a fuzz target looks at: any scenario, made into one of its kind.
#pragma once

#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

enum class Focus : std::uint8_t {
  transfer,           ///< each handover is a transfer
  exec,               ///< an exec
  reboot,             ///< a reboot, of a guest that sleeps
  chain,              ///< as it is, at least two
  interrupts,         ///< KVM, interrupts only: nothing that makes an attempt fail
  container_legacy,   ///< devices by group and type1
  container_iommufd,  ///< devices by iommufd
  pci_state,          ///< what guest and management do to the devices, no faults
  rollback,           ///< each first attempt is cancelled, killed or meets a fault; one that must succeed follows
};
inline constexpr std::uint8_t kFocuses = 9;

/// Idempotent; the result is normal. A scenario without a handover gets one.
void narrow(Scenario& scenario, Focus focus);

}  // namespace vcpr::vm_scenario
