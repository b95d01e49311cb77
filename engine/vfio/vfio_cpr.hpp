// The functions of QEMU's include/hw/vfio/vfio-cpr.h (commit 322ee16824), under their own names. The VM comes first
// where the original used globals, errors are values, and a section hook is a step of a lifecycle::Participant.
#pragma once

#include <optional>
#include <string_view>

#include "engine/lifecycle/blockers.hpp"
#include "engine/lifecycle/participants.hpp"
#include "engine/store/cpr_state_description.hpp"
#include "engine/vfio/vm.hpp"
#include "engine/vmstate/sections/iommufd.hpp"
#include "engine/vmstate/sections/vfio_container.hpp"
#include "engine/vmstate/sections/vfio_cpr_pci.hpp"

namespace vcpr::vfio {

class Container;
class Device;
class Group;
class Iommufd;
class IommufdContainer;
class PciDevice;
class Type1Container;

/// What CPR keeps of a container.
struct VFIOContainerCPR {
  lifecycle::BlockerId blocker = 0;
  bool vaddr_unmapped = false;  ///< vaddrs are invalid in the kernel
  vmstate::VfioContainerSection section;
  std::unique_ptr<lifecycle::Participant> transfer_notifier;
  std::unique_ptr<lifecycle::Participant> reboot_notifier;
};

/// What CPR keeps of an iommufd.
struct VFIOIommufdCPR {
  lifecycle::BlockerId blocker = 0;
  vmstate::IommufdSection section;
  std::unique_ptr<lifecycle::Participant> transfer_notifier;
};

/// What CPR keeps of a device.
struct VFIODeviceCPR {
  lifecycle::BlockerId mdev_blocker = 0;
  std::uint32_t hwpt_id = 0;
  std::uint32_t ioas_id = 0;
};

/// What CPR keeps of a PCI device.
struct VFIOPCICPR {
  std::unique_ptr<lifecycle::Participant> transfer_notifier;
  std::unique_ptr<lifecycle::Participant> config_notifier;  ///< BARs are there before addresses are restored
};

// Type1 containers

/// Registers the section vfio-container, the steps that invalidate and restore vaddrs, the reboot rule and KVM's
/// closing; a kernel without UPDATE_VADDR or UNMAP_ALL gets a blocker for transfer and exec instead.
Expected<void> vfio_legacy_cpr_register_container(Vm& vm, Type1Container& container);
void vfio_legacy_cpr_unregister_container(Vm& vm, Type1Container& container);
/// The reboot rule: bad_state unless the guest is suspended, or was when it was paused.
Expected<void> vfio_cpr_reboot_notifier(const Vm& vm);
/// True when `fd`, which came for `group`, is another descriptor of the container's own file: it is closed, and the
/// group's entry becomes the container's. False: another container. os_error.
Expected<bool> vfio_cpr_container_match(Vm& vm, const Type1Container& container, const Group& group, int fd);
/// The descriptor in the table, or in a fresh or old process the kernel's (VFIO_GROUP_GET_DEVICE_FD), then saved.
/// `name` may end in " vf_token=UUID". Incoming: missing_key, never a second opening.
Expected<int> vfio_cpr_group_get_device_fd(Vm& vm, int group_fd, std::string_view name);
/// Restores what one range of a window, or of a sparsely populated block, had mapped.
Expected<void> vfio_cpr_giommu_remap(Container& container, const memory::FlatRange& range);
Expected<void> vfio_cpr_ram_discard_register_listener(Container& container, const memory::FlatRange& range);
Expected<void> vfio_cpr_ram_discard_replay_populated(Container& container, const memory::FlatRange& range);

// iommufd

/// The ids of each device, the subsection of the CPR state that QEMU's migration/cpr.c includes.
inline constexpr const auto& vmstate_cpr_vfio_devices = store::kCprVfioDevices;

Expected<void> vfio_iommufd_cpr_register_container(Vm& vm, IommufdContainer& container);
void vfio_iommufd_cpr_unregister_container(Vm& vm, IommufdContainer& container);
/// Registers the section iommufd and CHANGE_PROCESS; a kernel without it gets a blocker for transfer and exec.
Expected<void> vfio_iommufd_cpr_register_iommufd(Vm& vm, Iommufd& iommufd);
void vfio_iommufd_cpr_unregister_iommufd(Vm& vm, Iommufd& iommufd);
/// Old or fresh: saves the descriptor and the ids. Incoming: nothing, they are there.
Expected<void> vfio_iommufd_cpr_register_device(Vm& vm, Device& device);
void vfio_iommufd_cpr_unregister_device(Vm& vm, Device& device);
/// Incoming: ids from the record, descriptor from the table. missing_key.
Expected<void> vfio_cpr_load_device(Vm& vm, Device& device);

// PCI devices

/// (DEVICE_NAME, nr): "interrupt", "kvm_interrupt", "intx-interrupt", "intx-unmask", "err_notifier", "req_notifier".
Expected<void> vfio_cpr_save_vector_fd(PciDevice& device, std::string_view name, std::int32_t nr, int fd);
/// missing_key.
Expected<int> vfio_cpr_load_vector_fd(PciDevice& device, std::string_view name, std::int32_t nr);
/// Drops the entry and closes its descriptor. Nothing when it is absent.
void vfio_cpr_delete_vector_fd(PciDevice& device, std::string_view name, std::int32_t nr);
Expected<void> vfio_cpr_pci_register_device(PciDevice& device);
void vfio_cpr_pci_unregister_device(PciDevice& device);
/// The section of a PCI device.
inline constexpr const auto& vfio_cpr_pci_vmstate = vmstate::kVfioCprPci;

// KVM

/// DONE closes KVM. Once a VM, however often it is called.
void vfio_cpr_add_kvm_notifier(Vm& vm);

}  // namespace vcpr::vfio
