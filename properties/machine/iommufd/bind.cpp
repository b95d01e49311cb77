#include "properties/machine/iommufd/bind.hpp"

#include <array>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/iommufd/command.hpp"
#include "properties/machine/iommufd/device.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// The fixed part of an argument that has its size in front, by the rule of argsz: EFAULT, EINVAL.
template <class Argument>
os::Result<Argument> take(Context& context, void* argument, std::size_t least) {
  auto taken = copy_in<Argument>(context, argument, least);
  if (taken && taken->argsz < least) return std::unexpected(Errno::einval);
  return taken;
}

/// As every extensible struct: EFAULT, EINVAL, E2BIG.
os::Result<abi::vfio_device_bind_iommufd> take_bind(Context& context, void* argument) {
  using Bind = abi::vfio_device_bind_iommufd;
  constexpr std::size_t least = offsetof(Bind, token_uuid_ptr);
  const auto fixed = take<Bind>(context, argument, least);
  if (!fixed) return fixed;
  if (auto done = check_zero_tail(context, argument, fixed->argsz, sizeof(Bind)); !done)
    return std::unexpected(done.error());
  return copy_in<Bind>(context, argument, std::min<std::size_t>(fixed->argsz, sizeof(Bind)));
}

/// What is looked at before the iommufd: EINVAL, EBUSY while the group is open.
os::Result<void> check_file(Context& context, const VfioDeviceFile& file, const abi::vfio_device_bind_iommufd& bind) {
  constexpr std::size_t token_bytes = 16;
  if (bind.iommufd < 0 || (bind.flags & ~abi::vfio_device_bind_flag_token) != 0) return std::unexpected(Errno::einval);
  if (file.group != nullptr) return std::unexpected(Errno::einval);
  if (file.device.group.opened != nullptr) return std::unexpected(Errno::ebusy);
  if (file.is_open) return std::unexpected(Errno::einval);
  if ((bind.flags & abi::vfio_device_bind_flag_token) == 0) return {};
  std::array<std::byte, token_bytes> token;
  if (auto done = copy_in(context, token.data(), caller_pointer(bind.token_uuid_ptr), token.size()); !done) return done;
  return std::unexpected(Errno::einval);  // none of the devices is a VF or has some
}

}  // namespace

os::Result<int> bind_iommufd(Context& context, VfioDeviceFile& file, void* argument) {
  auto bind = take_bind(context, argument);
  if (!bind) return std::unexpected(bind.error());
  if (auto done = check_file(context, file, *bind); !done) return std::unexpected(done.error());
  const auto iommufd = find_iommufd(context, bind->iommufd);
  if (!iommufd) return std::unexpected(iommufd.error());
  if (file.device.open_count != 0) return std::unexpected(Errno::einval);
  const auto bound = make_device(file.device, **iommufd);
  if (!bound) return std::unexpected(bound.error());
  open_device(file.device, file.kvm);
  file.is_open = true;
  bind->out_devid = (*bound)->id;
  constexpr std::size_t least = offsetof(abi::vfio_device_bind_iommufd, token_uuid_ptr);
  if (auto done = copy_out(context, argument, *bind, least); !done) return std::unexpected(done.error());
  return 0;
}

os::Result<int> attach_iommufd_pt(Context& context, VfioDeviceFile& file, void* argument) {
  using Attach = abi::vfio_device_attach_iommufd_pt;
  constexpr std::size_t least = offsetof(Attach, pasid);
  auto attach = take<Attach>(context, argument, least);
  if (!attach) return std::unexpected(attach.error());
  if ((attach->flags & ~abi::vfio_device_attach_pasid) != 0) return std::unexpected(Errno::einval);
  if ((attach->flags & abi::vfio_device_attach_pasid) != 0)
    return std::unexpected(attach->argsz < sizeof(Attach) ? Errno::einval : Errno::eopnotsupp);
  if (context.fires(FaultPoint::ioctl_attach_pt_enomem)) return std::unexpected(Errno::enomem);
  const auto id = attach_device(*file.device.bound, attach->pt_id);
  if (!id) return std::unexpected(id.error());
  attach->pt_id = *id;
  if (auto done = copy_out(context, argument, *attach, least); !done) return std::unexpected(done.error());
  return 0;
}

os::Result<int> detach_iommufd_pt(Context& context, VfioDeviceFile& file, void* argument) {
  using Detach = abi::vfio_device_detach_iommufd_pt;
  const auto detach = take<Detach>(context, argument, offsetof(Detach, pasid));
  if (!detach) return std::unexpected(detach.error());
  if ((detach->flags & ~abi::vfio_device_detach_pasid) != 0) return std::unexpected(Errno::einval);
  if ((detach->flags & abi::vfio_device_detach_pasid) != 0)
    return std::unexpected(detach->argsz < sizeof(Detach) ? Errno::einval : Errno::eopnotsupp);
  detach_device(*file.device.bound);
  return 0;
}

void unbind_iommufd(Machine::Impl&, VfioDeviceFile& file) {
  destroy_device(*file.device.bound);
}

}  // namespace vcpr::machine
