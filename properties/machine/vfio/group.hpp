// /dev/vfio/N: an IOMMU group as a file.
#pragma once

#include "properties/machine/device_node.hpp"
#include "properties/machine/iommu.hpp"

namespace vcpr::machine {

class Type1;

/// What VFIO_GROUP_SET_CONTAINER attaches a group to, and devices got from the group work through.
class GroupBacking {
 public:
  /// Its IOMMU driver; null: none yet, or an iommufd.
  virtual const Type1* type1() const { return nullptr; }
  /// EPERM when somebody owns the group's DMA, or as its IOMMU says; nothing has changed then.
  virtual os::Result<void> attach_group(Context& context, GroupFile& group) = 0;
  /// The group's file is closed, or VFIO_GROUP_UNSET_CONTAINER.
  virtual void detach_group(Machine::Impl& machine, GroupFile& group) = 0;
  /// A device of the group is about to be opened once more: EINVAL when it cannot be.
  virtual os::Result<void> use_device(Context& context, GroupFile& group, VfioDevice& device) = 0;
  /// A device file that use_device() let open is closed; device.open_count is counted down.
  virtual void unuse_device(Machine::Impl& machine, GroupFile& group, VfioDevice& device) = 0;

 protected:
  ~GroupBacking() = default;
};

/// Never freed, like descriptions: device files point to theirs.
struct GroupFile final : FileObject {
  explicit GroupFile(IommuGroup& of) : group(of) {}

  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  KvmVm** kvm_link() override { return &kvm; }
  void released(Machine::Impl& machine, Description& file) override;

  IommuGroup& group;
  Description* description = nullptr;  ///< of this file, once it has been called
  GroupBacking* backing = nullptr;     ///< null: not attached
  KvmVm* kvm = nullptr;                ///< for the first open of its devices
  std::uint32_t device_files = 0;      ///< open ones that were got from here
  GroupFile* next_attached = nullptr;  ///< in the container's list
};

/// vfio_group_fops_open: ENOENT when there is no such group, EBUSY when it is open or a device of it is bound to an
/// iommufd.
os::Result<FileObject*> open_group(Context& context, std::uint32_t number);
/// A device file got from the group is closed, after close_device().
void device_file_closed(Machine::Impl& machine, GroupFile& group, VfioDevice& device);

}  // namespace vcpr::machine
