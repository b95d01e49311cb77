#include "properties/machine/vfio/info.hpp"

#include <algorithm>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/vfio/device.hpp"
#include "properties/machine/vfio/regions.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

os::Result<int> get_device_info(Context& context, VfioDevice& device, void* argument) {
  constexpr std::uint32_t kSmallest = 16;
  auto info = copy_in<abi::vfio_device_info>(context, argument, kSmallest);
  if (!info) return std::unexpected(info.error());
  if (info->argsz < kSmallest) return std::unexpected(Errno::einval);
  info->flags = abi::vfio_device_flags_pci | (device.function.model.can_reset ? abi::vfio_device_flags_reset : 0);
  info->num_regions = abi::vfio_pci_num_regions;
  info->num_irqs = abi::vfio_pci_num_irqs;
  const std::size_t bytes = std::min<std::size_t>(info->argsz, sizeof *info);
  if (auto written = copy_out(context, argument, *info, bytes); !written) return std::unexpected(written.error());
  return 0;
}

namespace {

/// The MSI-X table may be mapped with its BAR: the capability that says so, behind the struct if there is room.
os::Result<void> add_msix_mappable(Context& context, void* argument, abi::vfio_region_info& info) {
  const abi::vfio_info_cap_header capability{abi::vfio_region_info_cap_msix_mappable, 1, 0};
  info.flags |= abi::vfio_region_info_flag_caps;
  if (info.argsz < sizeof info + sizeof capability) {
    info.argsz = sizeof info + sizeof capability;
    info.cap_offset = 0;
    return {};
  }
  info.cap_offset = sizeof info;
  return copy_out(context, static_cast<std::byte*>(argument) + sizeof info, capability);
}

}  // namespace

os::Result<int> get_region_info(Context& context, VfioDevice& device, void* argument) {
  auto info = copy_in<abi::vfio_region_info>(context, argument);
  if (!info) return std::unexpected(info.error());
  if (info->argsz < sizeof *info) return std::unexpected(Errno::einval);
  if (info->index >= abi::vfio_pci_vga_region_index) return std::unexpected(Errno::einval);
  const PciModel& model = device.function.model;
  const bool is_msix_bar = model.msix != 0 && info->index == model.msix_bar;
  info->offset = region_offset(info->index);
  info->size = region_bytes(device, info->index);
  info->flags = info->size != 0 ? abi::vfio_region_info_flag_read | abi::vfio_region_info_flag_write : 0;
  if (can_map_region(device, info->index)) {
    info->flags |= abi::vfio_region_info_flag_mmap;
    if (is_msix_bar)
      if (auto added = add_msix_mappable(context, argument, *info); !added) return std::unexpected(added.error());
  }
  if (auto written = copy_out(context, argument, *info); !written) return std::unexpected(written.error());
  return 0;
}

}  // namespace vcpr::machine
