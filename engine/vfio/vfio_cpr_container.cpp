// CPR of type1 containers: what QEMU's hw/vfio/cpr-legacy.c does.
#include <string>

#include "engine/os/abi.hpp"
#include "engine/os/abi/vfio.hpp"
#include "engine/store/descriptor_kind.hpp"
#include "engine/vfio/group.hpp"
#include "engine/vfio/ioctl.hpp"
#include "engine/vfio/reboot_rule.hpp"
#include "engine/vfio/type1_container.hpp"

namespace vcpr::vfio {

namespace abi = os::abi;

namespace {

/// Section vfio-container's hooks, and their undoing.
class VaddrSteps final : public lifecycle::Participant {
 public:
  explicit VaddrSteps(Type1Container& container) : container_(container) {}

  std::string what() const override { return "container " + std::to_string(container_.number()); }
  Expected<void> let_go(lifecycle::Mode) override { return container_.invalidate_vaddrs(); }
  Expected<void> take_back() override { return container_.restore_vaddrs(); }
  Expected<void> take_over() override { return container_.take_over_vaddrs(); }
  /// No call: what was restored here may be the old process's again, which takes everything back whatever it finds.
  void give_up() override { container_.forget_vaddrs(); }

 private:
  Type1Container& container_;
};

Expected<bool> can_update_vaddrs(Type1Container& container) {
  Expected<bool> updates = container.has(abi::vfio_update_vaddr);
  if (!updates || !*updates) return updates;
  return container.has(abi::vfio_unmap_all);
}

Expected<int> status_flags(os::Kernel& kernel, int fd) {
  os::Result<int> flags = kernel.fcntl(fd, abi::f_getfl, 0);
  if (!flags) return refuse_os(flags.error(), {"F_GETFL of descriptor ", Decimal(fd)});
  return *flags;
}

Expected<void> set_status_flags(os::Kernel& kernel, int fd, int flags) {
  os::Result<int> set = kernel.fcntl(fd, abi::f_setfl, flags);
  if (!set) return refuse_os(set.error(), {"F_SETFL of descriptor ", Decimal(fd)});
  return {};
}

/// Whether two descriptors are of one open file description: only then is a flag set through one seen through the
/// other. VFIO containers do not look at O_NONBLOCK, and it is put back at once.
Expected<bool> is_same_description(os::Kernel& kernel, int one, int other) {
  Expected<int> before = status_flags(kernel, one);
  if (!before) return std::unexpected(std::move(before.error()));
  Expected<void> flipped = set_status_flags(kernel, one, *before ^ abi::o_nonblock);
  if (!flipped) return std::unexpected(std::move(flipped.error()));
  Expected<int> seen = status_flags(kernel, other);
  Expected<void> restored = set_status_flags(kernel, one, *before);
  if (!seen) return std::unexpected(std::move(seen.error()));
  if (!restored) return std::unexpected(std::move(restored.error()));
  if (((*seen ^ *before) & abi::o_nonblock) == 0) return false;
  Expected<int> after = status_flags(kernel, other);
  if (!after) return std::unexpected(std::move(after.error()));
  return ((*after ^ *before) & abi::o_nonblock) == 0;
}

Expected<bool> is_container(os::Kernel& kernel, int fd) {
  Expected<store::DescriptorKind> kind = store::kind_of(kernel, fd);
  if (!kind) return std::unexpected(std::move(kind.error()));
  return *kind == store::DescriptorKind::vfio_container;
}

}  // namespace

Expected<void> vfio_legacy_cpr_register_container(Vm& vm, Type1Container& container) {
  container.cpr.reboot_notifier = add_reboot_rule(vm, "container " + std::to_string(container.number()));
  Expected<bool> can = can_update_vaddrs(container);
  if (!can) return std::unexpected(std::move(can.error()));
  if (!*can) {
    Error reason{ErrorCode::bad_state, "VFIO container: the kernel cannot update vaddrs", {}, {}};
    Expected<lifecycle::BlockerId> blocker = vm.life.blockers.add(lifecycle::kTransferAndExec, std::move(reason));
    if (!blocker) return std::unexpected(std::move(blocker.error()));
    container.cpr.blocker = *blocker;
    return {};
  }
  vfio_cpr_add_kvm_notifier(vm);
  Expected<void> added = vm.life.sections.add_counted(vmstate::kVfioContainer, container.cpr.section);
  if (!added) return added;
  container.cpr.transfer_notifier = std::make_unique<VaddrSteps>(container);
  vm.life.participants.add(*container.cpr.transfer_notifier, lifecycle::Rank::addresses, lifecycle::kTransferAndExec);
  return {};
}

void vfio_legacy_cpr_unregister_container(Vm& vm, Type1Container& container) {
  remove_participant(vm, container.cpr.transfer_notifier);
  remove_participant(vm, container.cpr.reboot_notifier);
  vm.life.sections.remove_counted(vmstate::kVfioContainer.name, &container.cpr.section);
  vm.life.blockers.remove(container.cpr.blocker);
}

Expected<bool> vfio_cpr_container_match(Vm& vm, const Type1Container& container, const Group& group, int fd) {
  if (fd == container.fd()) return true;
  os::Kernel& kernel = vm.life.kernel;
  Expected<bool> candidate = is_container(kernel, fd);
  if (!candidate || !*candidate) return candidate;
  Expected<bool> same = is_same_description(kernel, container.fd(), fd);
  if (!same || !*same) return same;
  store::DescriptorTable& table = vm.life.cpr.descriptors;
  const store::Key key{"vfio_container_for_group", group.id()};
  Expected<void> done = table.remove(key);
  if (done) done = table.share(key, {"vfio_container_for_group", container.group_id()});
  if (!done) return std::unexpected(std::move(done.error()));
  Expected<int> claimed = table.claim(key);
  if (!claimed) return std::unexpected(std::move(claimed.error()));
  return true;
}

Expected<int> vfio_cpr_group_get_device_fd(Vm& vm, int group_fd, std::string_view name) {
  store::DescriptorTable& table = vm.life.cpr.descriptors;
  const store::Key key{name, 0};
  if (vm.life.is_incoming()) return table.claim(key);
  if (Expected<void> checked = store::check_name(name); !checked) return std::unexpected(std::move(checked.error()));
  if (table.contains(key)) return refuse(ErrorCode::duplicate_key, {store::describe(key), ": saved twice"});
  std::string text(name);
  Expected<int> fd = call(vm.life.kernel, group_fd, abi::request::vfio_group_get_device_fd, text.data(),
                          {"VFIO_GROUP_GET_DEVICE_FD of ", name});
  if (!fd) return fd;
  if (Expected<void> saved = table.save(key, os::Fd(vm.life.kernel, *fd)); !saved)
    return std::unexpected(std::move(saved.error()));
  return fd;
}

Expected<void> vfio_cpr_giommu_remap(Container& container, const memory::FlatRange& range) {
  if (container.has_window(range.address)) return container.remap(range);
  return refuse(ErrorCode::missing_key, {"no guest IOMMU's window is mapped at ", Decimal(range.address)});
}

/// The seed's name; it offered holes too.
Expected<void> vfio_cpr_ram_discard_register_listener(Container& container, const memory::FlatRange& range) {
  return vfio_cpr_ram_discard_replay_populated(container, range);
}

Expected<void> vfio_cpr_ram_discard_replay_populated(Container& container, const memory::FlatRange& range) {
  if (container.has_sparse(range.address)) return container.remap(range);
  return refuse(ErrorCode::missing_key, {"no sparse block is mapped at ", Decimal(range.address)});
}

}  // namespace vcpr::vfio
