// The regions of a device file: BARs and config space, read, written and mapped (drivers/vfio/pci/vfio_pci_rdwr.c).
#pragma once

#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"

namespace vcpr::machine {

struct Mapping;
struct VfioDevice;

/// Where region `index` begins in the device file.
inline constexpr std::uint64_t region_offset(std::uint32_t index) {
  return std::uint64_t{index} << 40;
}
/// 0 for a region the device does not have.
std::uint64_t region_bytes(const VfioDevice& device, std::uint32_t index);
/// Memory BARs of at least a page.
bool can_map_region(const VfioDevice& device, std::uint32_t index);

/// EINVAL for a region that is not there or beyond its end, EIO while memory is not decoded, EFAULT beyond config
/// space.
os::Result<std::size_t> read_region(VfioDevice& device, std::span<std::byte> buffer, std::uint64_t offset);
os::Result<std::size_t> write_region(VfioDevice& device, std::span<const std::byte> bytes, std::uint64_t offset);
/// vfio_pci_core_mmap: shared, within a BAR that can be mapped; else EINVAL.
os::Result<void> map_region(VfioDevice& device, Mapping& mapping);

}  // namespace vcpr::machine
