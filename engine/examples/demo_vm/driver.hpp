// What a guest's firmware and driver would do with a device: place its BARs, let it be bus master, set up interrupts.
#pragma once

#include <span>

#include "engine/examples/demo_vm/options.hpp"
#include "engine/vfio/pci_device.hpp"

namespace vcpr::demo {

/// Vector of a device's first interrupt, by its position among the devices.
std::uint32_t first_vector(std::size_t position);
/// GSI of its pin: of those that lead to the IOAPIC alone.
std::uint32_t gsi_of(std::size_t position);

/// `memory`: the guest's, where its handlers look up how to silence a pin. bad_value when the device lacks the kind of
/// interrupt, or so many vectors.
Expected<void> program(vfio::PciDevice& device, const DeviceOptions& options, std::size_t position,
                       std::span<std::byte> memory);

}  // namespace vcpr::demo
