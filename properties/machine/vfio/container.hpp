// /dev/vfio/vfio: a container, the groups in it and their type1 IOMMU state.
#pragma once

#include "properties/machine/vfio/group.hpp"

namespace vcpr::machine {

/// Lives while its file is open or a group is attached.
class Container final : public FileObject, public GroupBacking {
 public:
  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  GroupBacking* group_backing() override { return this; }
  const Type1* type1() const override { return type1_; }
  void released(Machine::Impl& machine, Description& file) override;

  os::Result<void> attach_group(Context& context, GroupFile& group) override;
  void detach_group(Machine::Impl& machine, GroupFile& group) override;
  os::Result<void> use_device(Context& context, GroupFile& group, VfioDevice& device) override;
  void unuse_device(Machine::Impl& machine, GroupFile& group, VfioDevice& device) override;

 private:
  os::Result<int> check_extension(const Switches& switches, std::uint64_t extension) const;
  os::Result<int> set_iommu(Context& context, std::uint64_t type);
  void free_when_unused(Machine::Impl& machine);

  GroupFile* groups_ = nullptr;
  Type1* type1_ = nullptr;  // null before SET_IOMMU
  bool is_open_ = true;
};

os::Result<FileObject*> open_container(Context& context);

}  // namespace vcpr::machine
