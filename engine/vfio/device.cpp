#include "engine/vfio/device.hpp"

#include "engine/os/abi.hpp"
#include "engine/store/descriptor_kind.hpp"
#include "engine/store/descriptor_link.hpp"
#include "engine/vfio/group.hpp"
#include "engine/vfio/ioctl.hpp"
#include "engine/vfio/iommufd.hpp"
#include "engine/vfio/iommufd_container.hpp"

namespace vcpr::vfio {

namespace abi = os::abi;

Device::Device(Vm& vm, DeviceConfig config)
    : vm_(vm), config_(std::move(config)), given_(vm.life.kernel, vm.life.is_incoming() ? -1 : config_.given_fd) {}

Expected<std::unique_ptr<Device>> Device::attach(Vm& vm, const DeviceConfig& config) {
  std::unique_ptr<Device> device(new Device(vm, config));
  Expected<void> ready = device->check_config();
  if (ready) ready = device->add_blocker();
  if (ready) ready = device->is_by_cdev() ? device->open_by_cdev() : device->open_by_group();
  if (ready) ready = device->ask();
  if (!ready) return std::unexpected(std::move(ready.error()));
  return device;
}

Expected<void> Device::detach() {
  vm_.life.blockers.remove(cpr.mdev_blocker);
  return is_by_cdev() ? close_by_cdev() : close_by_group();
}

Expected<void> Device::check_config() const {
  auto refuse_it = [&](std::string_view why) {
    return refuse(ErrorCode::bad_value, {"device ", quoted(config_.name), ": ", why});
  };
  if (config_.name.empty()) return refuse_it("has no name under which another process could find it");
  if (!is_by_cdev() && config_.given_fd >= 0) return refuse_it("a given descriptor needs an iommufd");
  if (is_by_cdev() && !config_.vf_token.empty()) return refuse_it("a VF token needs a group");
  if (is_by_cdev() && config_.cdev.empty() && config_.given_fd < 0) return refuse_it("has neither path nor descriptor");
  return {};
}

/// What an emulated device pinned is bound to the process; both kernels refuse to move it.
Expected<void> Device::add_blocker() {
  if (!config_.mediated) return {};
  Error reason{ErrorCode::bad_state, "device " + config_.name + ": is mediated", {}, {}};
  Expected<lifecycle::BlockerId> blocker = vm_.life.blockers.add(lifecycle::kTransferAndExec, std::move(reason));
  if (!blocker) return std::unexpected(std::move(blocker.error()));
  cpr.mdev_blocker = *blocker;
  return {};
}

std::string Device::key_name() const {
  return config_.vf_token.empty() ? config_.name : config_.name + " vf_token=" + config_.vf_token;
}

Expected<void> Device::open_by_group() {
  Expected<Group*> group = Group::join(vm_, config_.group);
  if (!group) return std::unexpected(std::move(group.error()));
  group_ = *group;
  Expected<int> fd = vfio_cpr_group_get_device_fd(vm_, group_->fd(), key_name());
  if (!fd) return std::unexpected(std::move(fd.error()));
  fd_ = *fd;
  return check_kind();
}

Expected<void> Device::close_by_group() {
  Expected<void> first;
  if (fd_ >= 0) note(first, vm_.life.cpr.descriptors.remove({key_name(), 0}));
  fd_ = -1;
  if (group_ != nullptr) note(first, Group::leave(*group_));
  group_ = nullptr;
  return first;
}

Expected<void> Device::open_by_cdev() {
  const bool is_incoming = vm_.life.is_incoming();
  Expected<void> ready = is_incoming ? vfio_cpr_load_device(vm_, *this) : find_cdev();
  if (ready) ready = check_kind();
  if (!ready) return ready;
  Expected<Iommufd*> iommufd = Iommufd::connect(vm_, config_.iommufd);
  if (!iommufd) return std::unexpected(std::move(iommufd.error()));
  iommufd_ = *iommufd;
  if (vm_.kvm != nullptr) {
    if (Expected<void> told = vm_.kvm->add_vfio_file(fd_); !told) return told;
    kvm_knows_ = true;
  }
  if (!is_incoming) {
    if (Expected<void> bound = bind(); !bound) return bound;
  }
  Expected<IommufdContainer*> container = IommufdContainer::attach(*iommufd_, *this);
  if (!container) return std::unexpected(std::move(container.error()));
  container_ = *container;
  return vfio_iommufd_cpr_register_device(vm_, *this);
}

/// Backwards; KVM's reference would keep the file open.
Expected<void> Device::close_by_cdev() {
  Expected<void> first;
  if (container_ != nullptr) note(first, IommufdContainer::detach(*container_, *this));
  container_ = nullptr;
  if (kvm_knows_ && vm_.kvm->is_open()) note(first, vm_.kvm->remove_vfio_file(fd_));
  kvm_knows_ = false;
  if (fd_ >= 0) vfio_iommufd_cpr_unregister_device(vm_, *this);
  fd_ = -1;
  if (iommufd_ != nullptr) note(first, Iommufd::disconnect(*iommufd_));
  iommufd_ = nullptr;
  return first;
}

/// The user's descriptor, or the path's.
Expected<void> Device::find_cdev() {
  os::Fd fd = std::move(given_);
  if (!fd.is_open()) {
    os::Result<int> opened = vm_.life.kernel.open(config_.cdev.c_str(), abi::o_rdwr | abi::o_cloexec);
    if (!opened) return refuse_os(opened.error(), {"open ", config_.cdev});
    fd = os::Fd(vm_.life.kernel, *opened);
  }
  const int number = fd.number();
  Expected<void> saved = vm_.life.cpr.descriptors.save({config_.name, 0}, std::move(fd));
  if (saved) fd_ = number;
  return saved;
}

Expected<void> Device::bind() {
  abi::vfio_device_bind_iommufd argument{sizeof argument, 0, iommufd_->fd(), 0, 0};
  Expected<int> bound = call(vm_.life.kernel, fd_, abi::request::vfio_device_bind_iommufd, &argument,
                             {"VFIO_DEVICE_BIND_IOMMUFD of device ", config_.name});
  if (!bound) return std::unexpected(std::move(bound.error()));
  devid = static_cast<std::int32_t>(argument.out_devid);
  return {};
}

/// What came from outside must be a device file, and the one that was meant where its path is known.
Expected<void> Device::check_kind() {
  const bool is_ours = !vm_.life.is_incoming() && config_.given_fd < 0;
  if (is_ours) return {};
  Expected<store::DescriptorKind> kind = store::kind_of(vm_.life.kernel, fd_);
  if (!kind) return std::unexpected(std::move(kind.error()));
  if (*kind != store::DescriptorKind::device)
    return refuse(ErrorCode::wrong_kind, {"device ", config_.name, ": its descriptor is ", store::name(*kind)});
  if (config_.cdev.empty()) return {};
  Expected<store::DescriptorLink> link = store::DescriptorLink::of(vm_.life.kernel, fd_);
  if (!link) return std::unexpected(std::move(link.error()));
  if (link->text() == config_.cdev) return {};
  return refuse(ErrorCode::wrong_kind,
                {"device ", config_.name, ": its descriptor is ", quoted(link->text()), ", not ", config_.cdev});
}

}  // namespace vcpr::vfio
