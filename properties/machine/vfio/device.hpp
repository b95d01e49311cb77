// A PCI (or emulated) device bound to VFIO: what all its open files share (drivers/vfio/vfio_main.c).
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/os/kernel.hpp"
#include "properties/machine/file_object.hpp"
#include "properties/machine/iommu.hpp"
#include "properties/machine/vfio/interrupts.hpp"

namespace vcpr::machine {

class IommufdContext;
struct GroupFile;
struct IommufdDevice;
struct PciFunction;

struct VfioDevice {
  VfioDevice(Machine::Impl& of, IommuGroup& in, PciFunction& what)
      : machine(of), group(in), function(what), interrupts(*this) {}

  Machine::Impl& machine;
  IommuGroup& group;
  PciFunction& function;           ///< config space, interrupts, DMA engine: what the guest's driver sees
  Interrupts interrupts;           ///< what of it reaches user space
  std::uint32_t number = 0;        ///< of /dev/vfio/devices/vfioN
  std::string_view name;           ///< as VFIO_GROUP_GET_DEVICE_FD takes it: "0000:00:05.0"
  std::uint32_t open_count = 0;    ///< files that have it open
  KvmVm* kvm = nullptr;            ///< sampled at the first open, referenced until the last close
  IommufdDevice* bound = nullptr;  ///< its DEVICE object while an iommufd has it
  VfioDevice* next_in_group = nullptr;
  VfioDevice* next = nullptr;
};

/// Null when there is no such cdev.
VfioDevice* find_cdev(Machine::Impl& machine, std::uint32_t number);

/// vfio_df_open: the first one resets the function and takes a reference on `kvm` (may be null).
void open_device(VfioDevice& device, KvmVm* kvm);
/// vfio_df_close: the last one disables interrupts, drops triggers, resets the function and lets the VM go.
void close_device(VfioDevice& device);

/// A device file, got from a group or opened as cdev.
class VfioDeviceFile final : public FileObject {
 public:
  VfioDeviceFile(VfioDevice& of, GroupFile* through) : device(of), group(through) {}

  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  os::Result<std::size_t> read(Context& context, Description& file, std::span<std::byte> buffer,
                               std::uint64_t offset) override;
  os::Result<std::size_t> write(Context& context, Description& file, std::span<const std::byte> bytes,
                                std::uint64_t offset) override;
  os::Result<void> mmap(Context& context, Description& file, Mapping& mapping) override;
  KvmVm** kvm_link() override { return &kvm; }
  void released(Machine::Impl& machine, Description& file) override;

  VfioDevice& device;
  GroupFile* group;      ///< that it was got from; null: a cdev
  bool is_open = false;  ///< counts in device.open_count: at once through a group, by BIND as cdev
  KvmVm* kvm = nullptr;  ///< link of a cdev file, used by BIND
};

}  // namespace vcpr::machine
