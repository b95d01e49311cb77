// Config space as vfio-pci shows it: some of it the hardware's, some virtual (drivers/vfio/pci/vfio_pci_config.c).
#pragma once

#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"
#include "properties/machine/pci/function.hpp"

namespace vcpr::machine {

/// As the firmware and the host leave it: BARs assigned, memory decoded, not yet a bus master.
void fill_config(PciFunction& function);
/// The command register, as VFIO shows it.
std::uint16_t read_command(const PciFunction& function);
std::uint32_t read_config_word(const PciFunction& function, std::uint32_t offset);

/// vfio_pci_config_rw: EFAULT for an access beyond the end, whole or in part.
os::Result<std::size_t> read_config(PciFunction& function, std::span<std::byte> buffer, std::uint64_t offset);
/// What cannot be written keeps its value. DisINTx masks and unmasks INTx; FLR resets the function.
os::Result<std::size_t> write_config(PciFunction& function, std::span<const std::byte> bytes, std::uint64_t offset);

}  // namespace vcpr::machine
