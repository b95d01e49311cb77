// /dev/iommu: an iommufd context, its objects and their ids.
#pragma once

#include "properties/machine/device_node.hpp"
#include "properties/machine/iommufd/object.hpp"
#include "properties/machine/vfio/group.hpp"

namespace vcpr::machine {

struct Ioas;

class IommufdContext final : public FileObject, public GroupBacking {
 public:
  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  /// Nobody holds an object any more: bound devices and fault queues hold the file (iommufd_fops_release).
  void released(Machine::Impl& machine, Description& file) override;

  GroupBacking* group_backing() override { return this; }

  // As the container of a group: see compat.cpp
  os::Result<void> attach_group(Context& context, GroupFile& group) override;
  void detach_group(Machine::Impl& machine, GroupFile& group) override;
  os::Result<void> use_device(Context& context, GroupFile& group, VfioDevice& device) override;
  void unuse_device(Machine::Impl& machine, GroupFile& group, VfioDevice& device) override;

  /// Null when `id` is of another kind or of nothing.
  Ioas* find_ioas(std::uint32_t id) const;

  ObjectTable objects;
  bool charges_mm = false;      ///< IOMMU_OPTION_RLIMIT_MODE is 1
  Ioas* compat_ioas = nullptr;  ///< what the ioctls of a VFIO container work on
};

os::Result<FileObject*> open_iommufd(Context& context);
/// The context behind a number of the caller: EBADF, EBADFD when it is another file.
os::Result<Description*> find_iommufd(Context& context, int fd);
/// `file` is of an iommufd.
IommufdContext& iommufd_of(const Description& file);

/// Takes an object that nobody uses out of its context and destroys it.
void destroy_object(Machine::Impl& machine, IommufdContext& iommufd, IommufdObject& object);

}  // namespace vcpr::machine
