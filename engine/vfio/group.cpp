#include "engine/vfio/group.hpp"

#include <algorithm>
#include <string>

#include "engine/os/abi.hpp"
#include "engine/os/abi/vfio.hpp"
#include "engine/store/descriptor_link.hpp"
#include "engine/vfio/ioctl.hpp"

namespace vcpr::vfio {

namespace abi = os::abi;

namespace {

store::Key key_of(const Group& group) {
  return {"vfio_group", group.id()};
}

std::string path_of(std::uint32_t number) {
  return "/dev/vfio/" + std::to_string(number);
}

}  // namespace

Expected<Group*> Group::join(Vm& vm, std::uint32_t number) {
  auto found = std::ranges::find_if(vm.groups, [&](const auto& group) { return group->number_ == number; });
  if (found != vm.groups.end()) {
    Group& group = **found;
    if (Expected<void> told = group.tell_kvm_again(); !told) return std::unexpected(std::move(told.error()));
    ++group.devices_;
    return &group;
  }
  std::unique_ptr<Group> group(new Group(vm, number));
  if (Expected<void> opened = group->open(); !opened) {
    (void)group->close();
    return std::unexpected(std::move(opened.error()));
  }
  group->devices_ = 1;
  return vm.groups.emplace_back(std::move(group)).get();
}

Expected<void> Group::leave(Group& group) {
  if (--group.devices_ != 0) return {};
  Expected<void> closed = group.close();
  group.vm_.groups.remove_if([&](const auto& each) { return each.get() == &group; });
  return closed;
}

Expected<void> Group::open() {
  if (Expected<void> found = find_descriptor(); !found) return found;
  if (Expected<void> checked = check_status(); !checked) return checked;
  Expected<Type1Container*> container = Type1Container::connect(vm_, *this);
  if (!container) return std::unexpected(std::move(container.error()));
  container_ = *container;
  if (Expected<void> told = tell_kvm(); !told) return told;
  return container_->start_mapping();
}

Expected<void> Group::find_descriptor() {
  store::DescriptorTable& table = vm_.life.cpr.descriptors;
  const std::string path = path_of(number_);
  if (!vm_.life.is_incoming()) {
    os::Result<int> opened = vm_.life.kernel.open(path.c_str(), abi::o_rdwr | abi::o_cloexec);
    if (!opened) return refuse_os(opened.error(), {"open ", path});
    Expected<void> saved = table.save(key_of(*this), os::Fd(vm_.life.kernel, *opened));
    if (saved) fd_ = *opened;
    return saved;
  }
  Expected<int> claimed = table.claim(key_of(*this));
  if (!claimed) return std::unexpected(std::move(claimed.error()));
  fd_ = *claimed;
  arrived_ = true;
  Expected<store::DescriptorLink> link = store::DescriptorLink::of(vm_.life.kernel, fd_);
  if (!link) return std::unexpected(std::move(link.error()));
  if (link->text() == path) return {};
  return refuse(ErrorCode::wrong_kind, {store::describe(key_of(*this)), ": is ", quoted(link->text()), ", not ", path});
}

/// VFIO_GROUP_GET_STATUS: every device of the group must be with VFIO, and a group that arrives in a container.
Expected<void> Group::check_status() {
  abi::vfio_group_status status{sizeof status, 0};
  Expected<int> asked = call(vm_.life.kernel, fd_, abi::request::vfio_group_get_status, &status,
                             {"VFIO_GROUP_GET_STATUS of group ", Decimal(number_)});
  if (!asked) return std::unexpected(std::move(asked.error()));
  if ((status.flags & abi::vfio_group_flags_viable) == 0) {
    return refuse(ErrorCode::bad_state, {"group ", Decimal(number_), ": not every device of it is bound to VFIO"});
  }
  const bool is_in_container = (status.flags & abi::vfio_group_flags_container_set) != 0;
  if (is_in_container == arrived_) return {};
  return refuse(ErrorCode::bad_state,
                {"group ", Decimal(number_), arrived_ ? ": is in no container" : ": is in a container already"});
}

Expected<void> Group::tell_kvm() {
  if (vm_.kvm == nullptr) return {};
  Expected<void> added = vm_.kvm->add_vfio_file(fd_);
  kvm_knows_ = added.has_value();
  return added;
}

/// The old process's KVM, when it closed, erased ours from the group's file (kvm_vfio_release, window W20); a device
/// that is opened now must find it there again.
Expected<void> Group::tell_kvm_again() {
  if (!arrived_ || !kvm_knows_ || vm_.life.is_incoming()) return {};
  if (Expected<void> removed = vm_.kvm->remove_vfio_file(fd_); !removed) return removed;
  kvm_knows_ = false;
  return tell_kvm();
}

/// Undoes what open() did, as far as it came.
Expected<void> Group::close() {
  Expected<void> first;
  if (kvm_knows_ && vm_.kvm->is_open()) note(first, vm_.kvm->remove_vfio_file(fd_));
  kvm_knows_ = false;
  if (container_ != nullptr) note(first, Type1Container::disconnect(*container_, *this));
  container_ = nullptr;
  if (fd_ >= 0) note(first, vm_.life.cpr.descriptors.remove(key_of(*this)));
  fd_ = -1;
  return first;
}

}  // namespace vcpr::vfio
