#include "properties/machine/vfio/group.hpp"

#include <array>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

bool is_bound_to_iommufd(const IommuGroup& group) {
  for (const VfioDevice* each = group.devices; each != nullptr; each = each->next_in_group)
    if (each->bound != nullptr) return true;
  return false;
}

/// vfio_group_ioctl_get_status.
os::Result<int> get_status(Context& context, const GroupFile& group, void* argument) {
  auto status = copy_in<abi::vfio_group_status>(context, argument);
  if (!status) return std::unexpected(status.error());
  if (status->argsz < sizeof *status) return std::unexpected(Errno::einval);
  status->flags = 0;
  if (group.backing != nullptr)
    status->flags = abi::vfio_group_flags_viable | abi::vfio_group_flags_container_set;
  else if (group.group.owner == nullptr)
    status->flags = abi::vfio_group_flags_viable;
  if (auto done = copy_out(context, argument, &*status, sizeof *status); !done) return std::unexpected(done.error());
  return 0;
}

/// vfio_group_ioctl_set_container.
os::Result<int> set_container(Context& context, GroupFile& group, void* argument) {
  const auto fd = copy_in<std::int32_t>(context, argument);
  if (!fd) return std::unexpected(fd.error());
  const Slot* slot = context.find(*fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  if (group.backing != nullptr) return std::unexpected(Errno::einval);
  FileObject* object = slot->description->object;
  GroupBacking* backing = object != nullptr ? object->group_backing() : nullptr;
  if (backing == nullptr) return std::unexpected(Errno::ebadfd);
  if (auto done = backing->attach_group(context, group); !done) return std::unexpected(done.error());
  group.backing = backing;
  return 0;
}

/// vfio_group_ioctl_unset_container.
os::Result<int> unset_container(Context& context, GroupFile& group) {
  if (group.backing == nullptr) return std::unexpected(Errno::einval);
  if (group.device_files != 0) return std::unexpected(Errno::ebusy);
  std::exchange(group.backing, nullptr)->detach_group(context.machine, group);
  return 0;
}

}  // namespace

os::Result<int> GroupFile::ioctl(Context& context, Description& file, std::uint64_t request, void* argument) {
  description = &file;
  switch (request) {
    case abi::request::vfio_group_get_status:
      return get_status(context, *this, argument);
    case abi::request::vfio_group_set_container:
      return set_container(context, *this, argument);
    case abi::request::vfio_group_unset_container:
      return unset_container(context, *this);
    default:
      return std::unexpected(Errno::enotty);
  }
}

bool GroupFile::link_kvm(KvmVm* vm) {
  kvm = vm;
  return true;
}

void GroupFile::released(Machine::Impl& machine, Description&) {
  if (backing != nullptr) std::exchange(backing, nullptr)->detach_group(machine, *this);
  group.opened = nullptr;
}

os::Result<FileObject*> open_group(Context& context, std::uint32_t number) {
  IommuGroup* group = find_group(context.machine, number);
  if (group == nullptr) return std::unexpected(Errno::enoent);
  if (is_bound_to_iommufd(*group) || group->opened != nullptr) return std::unexpected(Errno::ebusy);
  group->opened = context.machine.arena.make<GroupFile>(*group);
  return group->opened;
}

void device_file_closed(Machine::Impl& machine, GroupFile& group, VfioDevice& device) {
  --group.device_files;
  if (group.backing != nullptr) group.backing->unuse_device(machine, group, device);
}

}  // namespace vcpr::machine
