#include "properties/machine/vfio/group.hpp"

#include <array>

#include "engine/os/abi.hpp"
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
  if (auto done = copy_out(context, argument, *status); !done) return std::unexpected(done.error());
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

/// vfio_pci_core_match: behind the address may come spaces and options. No device here has a use for the only option,
/// vf_token, so any is EINVAL. An emulated device's name is compared whole.
os::Result<bool> matches(const VfioDevice& device, std::string_view text) {
  if (device.group.is_emulated) return text == device.name;
  if (!text.starts_with(device.name)) return false;
  const std::string_view options = text.substr(device.name.size());
  if (options.empty()) return true;
  if (options.front() != ' ') return false;
  if (options.find_first_not_of(' ') != std::string_view::npos) return std::unexpected(Errno::einval);
  return true;
}

/// vfio_device_get_from_name.
os::Result<VfioDevice*> find_device(const IommuGroup& group, std::string_view text) {
  for (VfioDevice* each = group.devices; each != nullptr; each = each->next_in_group) {
    const auto matched = matches(*each, text);
    if (!matched) return std::unexpected(matched.error());
    if (*matched) return each;
  }
  return std::unexpected(Errno::enodev);
}

/// vfio_group_ioctl_get_device_fd: a table without a free number closes the device again.
os::Result<int> get_device_fd(Context& context, GroupFile& group, void* argument) {
  std::array<char, kPageBytes> buffer{};
  const auto text = copy_in_text(context, argument, buffer);
  if (!text) return std::unexpected(text.error());
  const auto device = find_device(group.group, *text);
  if (!device) return std::unexpected(device.error());
  if (group.backing == nullptr) return std::unexpected(Errno::einval);
  if (auto usable = group.backing->use_device(context, group, **device); !usable)
    return std::unexpected(usable.error());
  ++group.device_files;
  open_device(**device, group.kvm);
  if (context.fires(FaultPoint::ioctl_get_device_fd_emfile) || !context.has_free_number()) {
    close_device(**device);
    device_file_closed(context.machine, group, **device);
    return std::unexpected(Errno::emfile);
  }
  auto* object = context.machine.arena.make<VfioDeviceFile>(**device, &group);
  object->is_open = true;
  Description& made = make_description(context.machine, FileKind::anonymous, abi::o_rdwr);
  made.object = object;
  made.link = "anon_inode:[vfio-device]";
  return context.install(made, true);
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
    case abi::request::vfio_group_get_device_fd:
      return get_device_fd(context, *this, argument);
    default:
      return std::unexpected(Errno::enotty);
  }
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
