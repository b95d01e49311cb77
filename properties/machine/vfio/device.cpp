#include "properties/machine/vfio/device.hpp"

#include <utility>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/iommufd/bind.hpp"
#include "properties/machine/kvm/vm_reference.hpp"
#include "properties/machine/pci/config_space.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/vfio/group.hpp"
#include "properties/machine/vfio/info.hpp"
#include "properties/machine/vfio/irqs.hpp"
#include "properties/machine/vfio/regions.hpp"
#include "properties/machine/vfio/reset.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

VfioDevice* find_cdev(Machine::Impl& machine, std::uint32_t number) {
  for (VfioDevice* each = machine.devices; each != nullptr; each = each->next)
    if (each->number == number) return each;
  return nullptr;
}

void open_device(VfioDevice& device, KvmVm* kvm) {
  if (device.open_count++ != 0) return;
  device.kvm = kvm;
  if (kvm != nullptr) hold_vm(*kvm);
  if (device.function.model.can_reset) reset_function(device.function);
  device.function.line_disabled = false;
  fill_config(device.function);
}

namespace {

/// vfio_pci_core_close_device.
void shut_down(VfioDevice& device) {
  disable_interrupts(device);
  device.interrupts.intx_disabled = false;
  fill_config(device.function);  // the state saved at the first open: no bus master
  if (device.function.model.can_reset) reset_function(device.function);
  device.interrupts.error = nullptr;
  device.interrupts.request = nullptr;
}

}  // namespace

void close_device(VfioDevice& device) {
  if (--device.open_count != 0) return;
  shut_down(device);
  if (KvmVm* kvm = std::exchange(device.kvm, nullptr); kvm != nullptr) drop_vm(device.machine, *kvm);
}

namespace {

/// vfio_ioctl_device_feature: the rules for every feature; vfio-pci has none of them here.
os::Result<int> device_feature(Context& context, void* argument) {
  constexpr std::uint32_t kKnown = abi::vfio_device_feature_mask | abi::vfio_device_feature_get |
                                   abi::vfio_device_feature_set | abi::vfio_device_feature_probe;
  constexpr std::uint32_t kBoth = abi::vfio_device_feature_get | abi::vfio_device_feature_set;
  const auto feature = copy_in<abi::vfio_device_feature>(context, argument);
  if (!feature) return std::unexpected(feature.error());
  if (feature->argsz < sizeof *feature || (feature->flags & ~kKnown) != 0) return std::unexpected(Errno::einval);
  const bool probes = (feature->flags & abi::vfio_device_feature_probe) != 0;
  if (!probes && (feature->flags & kBoth) == kBoth) return std::unexpected(Errno::einval);
  return std::unexpected(Errno::enotty);
}

}  // namespace

os::Result<int> VfioDeviceFile::ioctl(Context& context, Description&, std::uint64_t request, void* argument) {
  namespace number = abi::request;
  const bool can_bind = context.machine.switches.device_cdev;
  if (can_bind && request == number::vfio_device_bind_iommufd) return bind_iommufd(context, *this, argument);
  if (!is_open) return std::unexpected(Errno::einval);
  if (group == nullptr && request == number::vfio_device_attach_iommufd_pt)
    return attach_iommufd_pt(context, *this, argument);
  if (group == nullptr && request == number::vfio_device_detach_iommufd_pt)
    return detach_iommufd_pt(context, *this, argument);
  switch (request) {
    case number::vfio_device_feature:
      return device_feature(context, argument);
    case number::vfio_device_get_info:
      return get_device_info(context, device, argument);
    case number::vfio_device_get_region_info:
      return get_region_info(context, device, argument);
    case number::vfio_device_get_irq_info:
      return get_irq_info(context, device, argument);
    case number::vfio_device_set_irqs:
      return set_irqs(context, device, argument);
    case number::vfio_device_reset:
      return reset_device(context, device);
    case number::vfio_device_get_pci_hot_reset_info:
      return get_hot_reset_info(context, argument);
    case number::vfio_device_pci_hot_reset:
      return hot_reset(context, *this, argument);
    default:
      return std::unexpected(Errno::enotty);
  }
}

os::Result<std::size_t> VfioDeviceFile::read(Context& context, Description&, std::span<std::byte> buffer,
                                             std::uint64_t offset) {
  if (!is_open) return std::unexpected(Errno::einval);
  const auto count = read_region(device, buffer, offset);
  if (count) context.output = buffer.first(*count);
  return count;
}

os::Result<std::size_t> VfioDeviceFile::write(Context&, Description&, std::span<const std::byte> bytes,
                                              std::uint64_t offset) {
  if (!is_open) return std::unexpected(Errno::einval);
  return write_region(device, bytes, offset);
}

os::Result<void> VfioDeviceFile::mmap(Context&, Description&, Mapping& mapping) {
  if (!is_open) return std::unexpected(Errno::einval);
  return map_region(device, mapping);
}

void VfioDeviceFile::released(Machine::Impl& machine, Description&) {
  if (!std::exchange(is_open, false)) return;
  close_device(device);
  if (group != nullptr)
    device_file_closed(machine, *group, device);
  else if (device.bound != nullptr)
    unbind_iommufd(machine, *this);
}

}  // namespace vcpr::machine
