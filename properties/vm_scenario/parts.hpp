// What the files of this room share.
#pragma once

#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

/// `by_cdev`: the host has device cdevs.
void normalise(Device& device, bool by_cdev);
/// Vectors that a device's driver may enable in this kind; 1 but for MSI-X.
std::uint8_t max_vectors(machine::DeviceModel model, whole_vm::Interrupt interrupt);
/// The first value beyond the operands that an action has in this scenario; 2^32 for a seed.
std::uint64_t operand_end(const Scenario& scenario, Action action);
/// Behind the last pinned step that follows the handover at `handover`.
std::size_t end_of_pinned(const Scenario& scenario, std::size_t handover);

}  // namespace vcpr::vm_scenario
