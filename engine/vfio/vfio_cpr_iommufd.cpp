// CPR of iommufds and the devices bound to them: what QEMU's hw/vfio/cpr-iommufd.c does.
#include <string>

#include "engine/vfio/device.hpp"
#include "engine/vfio/ioctl.hpp"
#include "engine/vfio/iommufd.hpp"
#include "engine/vfio/iommufd_container.hpp"
#include "engine/vfio/reboot_rule.hpp"

namespace vcpr::vfio {

namespace {

/// Section iommufd's hooks, and their undoing: whose memory is charged.
class OwnershipSteps final : public lifecycle::Participant {
 public:
  explicit OwnershipSteps(Iommufd& iommufd) : iommufd_(iommufd) {}

  std::string what() const override { return "iommufd " + iommufd_.id(); }
  Expected<void> take_back() override { return iommufd_.change_process(); }
  Expected<void> take_over() override {
    if (Expected<void> changed = iommufd_.change_process(); !changed) return changed;
    for (const auto& container : iommufd_.containers)
      if (Expected<void> taken = container->take_over_mappings(); !taken) return taken;
    return {};
  }
  /// No call: the old process takes the ownership back, from the dead as from the living.
  void give_up() override {
    for (const auto& container : iommufd_.containers) container->forget_mappings();
  }

 private:
  Iommufd& iommufd_;
};

/// An empty one has nothing that could change hands, so asking has no effect. While incoming it is not asked: the
/// mappings would change hands, though the old guest still runs (window W22), and without it the old process would
/// have refused to hand over.
Expected<bool> can_change_process(Vm& vm, Iommufd& iommufd) {
  if (vm.life.is_incoming()) return true;
  Expected<void> changed = iommufd.change_process();
  if (changed) return true;
  if (changed.error().os == os::Errno::enotty) return false;
  return std::unexpected(std::move(changed.error()));
}

}  // namespace

Expected<void> vfio_iommufd_cpr_register_container(Vm& vm, IommufdContainer& container) {
  container.cpr.reboot_notifier = add_reboot_rule(vm, "IOAS " + std::to_string(container.ioas_id()));
  vfio_cpr_add_kvm_notifier(vm);
  return {};
}

void vfio_iommufd_cpr_unregister_container(Vm& vm, IommufdContainer& container) {
  remove_participant(vm, container.cpr.reboot_notifier);
  vm.life.blockers.remove(container.cpr.blocker);
}

Expected<void> vfio_iommufd_cpr_register_iommufd(Vm& vm, Iommufd& iommufd) {
  Expected<bool> can = can_change_process(vm, iommufd);
  if (!can) return std::unexpected(std::move(can.error()));
  if (!*can) {
    Error reason{ErrorCode::bad_state, "iommufd " + iommufd.id() + ": the kernel cannot change its process", {}, {}};
    Expected<lifecycle::BlockerId> blocker = vm.life.blockers.add(lifecycle::kTransferAndExec, std::move(reason));
    if (!blocker) return std::unexpected(std::move(blocker.error()));
    iommufd.cpr.blocker = *blocker;
    return {};
  }
  Expected<void> added = vm.life.sections.add_counted(vmstate::kIommufd, iommufd.cpr.section);
  if (!added) return added;
  iommufd.cpr.transfer_notifier = std::make_unique<OwnershipSteps>(iommufd);
  vm.life.participants.add(*iommufd.cpr.transfer_notifier, lifecycle::Rank::ownership, lifecycle::kTransferAndExec);
  return {};
}

void vfio_iommufd_cpr_unregister_iommufd(Vm& vm, Iommufd& iommufd) {
  remove_participant(vm, iommufd.cpr.transfer_notifier);
  vm.life.sections.remove_counted(vmstate::kIommufd.name, &iommufd.cpr.section);
  vm.life.blockers.remove(iommufd.cpr.blocker);
}

Expected<void> vfio_iommufd_cpr_register_device(Vm& vm, Device& device) {
  if (vm.life.is_incoming()) return {};
  Expected<void> saved = vm.life.cpr.descriptors.resave({device.name(), 0}, vm.life.kernel, device.fd());
  if (!saved) return saved;
  return vm.life.cpr.devices.add(device.name(), {device.devid, device.cpr.ioas_id, device.cpr.hwpt_id});
}

/// Either may be absent: a device that was not attached to the end has no record.
void vfio_iommufd_cpr_unregister_device(Vm& vm, Device& device) {
  (void)vm.life.cpr.devices.remove(device.name());
  (void)vm.life.cpr.descriptors.remove({device.name(), 0});
}

Expected<void> vfio_cpr_load_device(Vm& vm, Device& device) {
  Expected<store::DeviceIds> ids = vm.life.cpr.devices.find(device.name());
  if (!ids) return std::unexpected(std::move(ids.error()));
  Expected<int> fd = vm.life.cpr.descriptors.claim({device.name(), 0});
  if (!fd) return std::unexpected(std::move(fd.error()));
  device.devid = ids->devid;
  device.cpr.ioas_id = ids->ioas_id;
  device.cpr.hwpt_id = ids->hwpt_id;
  device.fd_ = *fd;
  return {};
}

}  // namespace vcpr::vfio
