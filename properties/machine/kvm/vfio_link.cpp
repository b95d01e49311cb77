#include "properties/machine/kvm/vfio_link.hpp"

#include <utility>

#include "engine/os/abi.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;
namespace request = os::abi::request;

namespace {

struct LinkedFile {
  Description* file = nullptr;
  LinkedFile* next = nullptr;
};

class VfioLink final : public FileObject {
 public:
  explicit VfioLink(KvmVm& of) : vm_(of) {}

  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  void released(Machine::Impl& machine, Description& file) override;

 private:
  os::Result<int> set_attr(Context& context, const void* argument);
  os::Result<int> add(Context& context, int fd);
  os::Result<int> remove(Context& context, int fd);
  LinkedFile** place_of(const Description& file);
  void forget(LinkedFile** place);

  KvmVm& vm_;
  LinkedFile* files_ = nullptr;  // in the order they were added
};

bool is_known(const abi::kvm_device_attr& attr) {
  return attr.group == abi::kvm_dev_vfio_file &&
         (attr.attr == abi::kvm_dev_vfio_file_add || attr.attr == abi::kvm_dev_vfio_file_del);
}

/// kvm_device_ioctl
os::Result<int> VfioLink::ioctl(Context& context, Description&, std::uint64_t request, void* argument) {
  if (auto allowed = check_mm(context, vm_); !allowed) return std::unexpected(allowed.error());
  switch (static_cast<std::uint32_t>(request)) {
    case request::kvm_set_device_attr:
      return set_attr(context, argument);
    case request::kvm_get_device_attr:
      return std::unexpected(Errno::eperm);  // this device has nothing to get
    case request::kvm_has_device_attr: {
      const auto attr = copy_in<abi::kvm_device_attr>(context, argument);
      if (!attr) return std::unexpected(attr.error());
      if (!is_known(*attr)) return std::unexpected(Errno::enxio);
      return 0;
    }
    default:
      return std::unexpected(Errno::enotty);
  }
}

/// kvm_vfio_set_attr
os::Result<int> VfioLink::set_attr(Context& context, const void* argument) {
  const auto attr = copy_in<abi::kvm_device_attr>(context, argument);
  if (!attr) return std::unexpected(attr.error());
  if (!is_known(*attr)) return std::unexpected(Errno::enxio);
  const auto fd = copy_in<std::int32_t>(context, caller_pointer(attr->addr));
  if (!fd) return std::unexpected(fd.error());
  return attr->attr == abi::kvm_dev_vfio_file_add ? add(context, *fd) : remove(context, *fd);
}

LinkedFile** VfioLink::place_of(const Description& file) {
  LinkedFile** place = &files_;
  while (*place != nullptr && (*place)->file != &file) place = &(*place)->next;
  return place;
}

/// kvm_vfio_file_add
os::Result<int> VfioLink::add(Context& context, int fd) {
  const Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  Description& file = *slot->description;
  KvmVm** link = file.object == nullptr ? nullptr : file.object->kvm_link();
  if (link == nullptr) return std::unexpected(Errno::einval);
  LinkedFile** place = place_of(file);
  if (*place != nullptr) return std::unexpected(Errno::eexist);
  if (context.fires(FaultPoint::ioctl_kvm_file_add_enomem)) return std::unexpected(Errno::enomem);
  *link = &vm_;
  *place = vm_.machine.arena.make<LinkedFile>(&file);
  acquire(file);
  return 0;
}

/// kvm_vfio_file_del
os::Result<int> VfioLink::remove(Context& context, int fd) {
  const Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  LinkedFile** place = place_of(*slot->description);
  if (*place == nullptr) return std::unexpected(Errno::enoent);
  forget(place);
  return 0;
}

void VfioLink::forget(LinkedFile** place) {
  LinkedFile* gone = *place;
  *place = gone->next;
  *gone->file->object->kvm_link() = nullptr;
  release(vm_.machine, *gone->file);
  vm_.machine.arena.destroy(gone);
}

/// kvm_vfio_release
void VfioLink::released(Machine::Impl& machine, Description& file) {
  while (files_ != nullptr) forget(&files_);
  vm_.has_vfio_device = false;
  release(vm_);
  file.object = nullptr;
  machine.arena.destroy(this);
}

}  // namespace

os::Result<int> create_kvm_device(Context& context, KvmVm& vm, void* argument) {
  auto wanted = copy_in<abi::kvm_create_device>(context, argument);
  if (!wanted) return std::unexpected(wanted.error());
  if (wanted->type != abi::kvm_dev_type_vfio) return std::unexpected(Errno::enodev);
  if ((wanted->flags & abi::kvm_create_device_test) == 0) {
    if (vm.has_vfio_device) return std::unexpected(Errno::ebusy);
    if (context.fires(FaultPoint::ioctl_create_device_emfile) || !context.has_free_number())
      return std::unexpected(Errno::emfile);
    vm.has_vfio_device = true;
    acquire(vm);
    Description& file = make_description(vm.machine, FileKind::anonymous, abi::o_rdwr);
    file.object = vm.machine.arena.make<VfioLink>(vm);
    file.link = "anon_inode:kvm-vfio";
    const auto fd = context.install(file, true);
    if (!fd) return std::unexpected(fd.error());
    wanted->fd = static_cast<std::uint32_t>(*fd);
  }
  if (auto done = copy_out(context, argument, *wanted); !done) return std::unexpected(done.error());
  return 0;
}

}  // namespace vcpr::machine
