// What a guest's driver does at a device, as steps of a schedule: no calls, they leave no trace but their effects.
//
// Taking the interrupt that a VM was given and its EOI are steps of the vCPU (kvm/guest.hpp).
#pragma once

#include <cstdint>

#include "properties/machine/machine.hpp"

namespace vcpr::machine {

/// The driver has probed device N: bus master, interrupt causes enabled.
void start_driver(Machine& machine, std::uint32_t device);
/// The device has something to say: a cause for its line, its MSI, or this MSI-X vector; whichever is on.
void raise_interrupt(Machine& machine, std::uint32_t device, std::uint32_t vector = 0);
/// The driver's handler: takes the causes from the device, whose line goes down.
void acknowledge_interrupts(Machine& machine, std::uint32_t device);
/// The mask bit of an MSI-X vector; what came meanwhile is sent when it goes.
void mask_vector(Machine& machine, std::uint32_t device, std::uint32_t vector, bool masked);
/// Edu's engine begins to write its buffer to `iova`; false when the device has none, or is at it.
bool start_dma(Machine& machine, std::uint32_t device, std::uint64_t iova, std::uint32_t bytes);
/// The transfer under way is over now; false when there is none.
bool complete_dma(Machine& machine, std::uint32_t device);

}  // namespace vcpr::machine
