// What the guest's drivers write to a device: where its BARs are, and which interrupts it has on.
#pragma once

#include "engine/vfio/pci_device.hpp"
#include "properties/whole_vm/shape.hpp"

namespace vcpr::whole_vm {

inline constexpr std::uint32_t kMsixEntryBytes = 16;
/// Of the IOAPIC: the pin of device 0; the others follow.
inline constexpr std::uint32_t kFirstPin = 16;
/// Guest physical; the BARs lie from here on, all RAM below.
inline constexpr std::uint64_t kFirstBar = 0xe0000000;

/// Where it is in the configuration space; 0: the device has none.
std::uint32_t find_capability(vfio::PciDevice& device, std::uint32_t wanted);
/// Where place_device puts a BAR.
std::uint64_t bar_address(std::uint32_t number, std::uint32_t bar);
/// BARs at addresses of their own for each device; memory and bus master on.
Expected<void> place_device(vfio::PciDevice& device, std::uint32_t number);
/// Its interrupts, CPU vectors from `first_vector` on.
Expected<void> turn_on_interrupts(vfio::PciDevice& device, const DeviceShape& shape, std::uint32_t number,
                                  std::uint8_t first_vector);
Expected<void> turn_off_interrupts(vfio::PciDevice& device, const DeviceShape& shape);
/// The mask bit in the MSI-X table.
Expected<void> mask_msix(vfio::PciDevice& device, std::uint32_t vector, bool masked);

}  // namespace vcpr::whole_vm
