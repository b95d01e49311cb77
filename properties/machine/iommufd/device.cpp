#include "properties/machine/iommufd/device.hpp"

#include <utility>

#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;

namespace {

/// The HWPT that the whole group is on; null: none.
Hwpt* hwpt_of(const IommuGroup& group) {
  for (const VfioDevice* each = group.devices; each != nullptr; each = each->next_in_group)
    if (each->bound != nullptr && each->bound->attached != nullptr) return each->bound->attached;
  return nullptr;
}

/// Of every attached device of the group, `change`.
template <class Change>
void for_each_attached(const IommuGroup& group, Change change) {
  for (const VfioDevice* each = group.devices; each != nullptr; each = each->next_in_group)
    if (each->bound != nullptr && each->bound->attached != nullptr) change(*each->bound);
}

/// iopt_table_enforce_dev_resv_regions.
os::Result<void> reserve_for(IommufdDevice& bound, Ioas& ioas) {
  return reserve_range(bound.device.machine, ioas, {kMsiWindow.start, kMsiWindow.last, &bound, nullptr});
}

/// iommufd_hw_pagetable_attach: EINVAL when another device has the group on another HWPT.
os::Result<void> attach(IommufdDevice& bound, Hwpt& hwpt) {
  IommuGroup& group = bound.device.group;
  const Hwpt* current = hwpt_of(group);
  if (current != nullptr && current != &hwpt) return std::unexpected(Errno::einval);
  if (auto done = reserve_for(bound, hwpt.ioas); !done) return done;
  if (current == nullptr && hwpt.faults != nullptr) {  // intel_iommu_enable_iopf
    unreserve(bound.device.machine, hwpt.ioas, &bound);
    return std::unexpected(Errno::enodev);
  }
  group.domain = &hwpt;
  bound.attached = &hwpt;
  ++hwpt.users;
  return {};
}

/// The other IOAS takes the reserved regions of all attached devices, or none.
os::Result<void> reserve_for_group(const IommuGroup& group, Ioas& ioas) {
  os::Result<void> done;
  for_each_attached(group, [&](IommufdDevice& each) {
    if (done) done = reserve_for(each, ioas);
  });
  if (!done) for_each_attached(group, [&](IommufdDevice& each) { unreserve(each.device.machine, ioas, &each); });
  return done;
}

/// iommufd_device_do_replace: moves the whole group.
os::Result<void> replace(IommufdDevice& bound, Hwpt& hwpt) {
  Hwpt& old = *bound.attached;
  if (&old == &hwpt) return {};
  const IommuGroup& group = bound.device.group;
  const bool same_ioas = &old.ioas == &hwpt.ioas;
  if (!same_ioas)
    if (auto done = reserve_for_group(group, hwpt.ioas); !done) return done;
  Machine::Impl& machine = bound.device.machine;
  if (hwpt.faults != nullptr) {
    if (!same_ioas) for_each_attached(group, [&](IommufdDevice& each) { unreserve(machine, hwpt.ioas, &each); });
    return std::unexpected(Errno::enodev);
  }
  bound.device.group.domain = &hwpt;
  ++old.users;  // until all have left it
  for_each_attached(group, [&](IommufdDevice& each) {
    if (!same_ioas) unreserve(machine, old.ioas, &each);
    each.attached = &hwpt;
    ++hwpt.users;
    --old.users;
  });
  put_hwpt(machine, bound.iommufd(), old);
  return {};
}

os::Result<void> attach_or_replace(IommufdDevice& bound, Hwpt& hwpt) {
  return bound.attached != nullptr ? replace(bound, hwpt) : attach(bound, hwpt);
}

/// iommufd_device_auto_get_domain, iommufd_hwpt_paging_alloc.
os::Result<std::uint32_t> attach_to_ioas(IommufdDevice& bound, Ioas& ioas) {
  for (Hwpt* each = ioas.hwpts; each != nullptr; each = each->next_in_ioas) {
    if (!each->is_automatic) continue;
    const auto done = attach_or_replace(bound, *each);
    if (done) return each->id;
    if (done.error() != Errno::einval) return std::unexpected(done.error());
  }
  Machine::Impl& machine = bound.device.machine;
  if (bound.attached == nullptr) {  // attached before it is filled, so that these errors are met first
    if (auto done = reserve_for(bound, ioas); !done) return std::unexpected(done.error());
    unreserve(machine, ioas, &bound);
  }
  const auto made = make_hwpt(machine, bound.iommufd(), ioas);
  if (!made) return std::unexpected(made.error());
  if (auto done = attach_or_replace(bound, **made); !done) {
    destroy_object(machine, bound.iommufd(), **made);
    return std::unexpected(done.error());
  }
  (*made)->is_automatic = true;
  return (*made)->id;
}

bool is_claimed(const IommuGroup& group) {
  for (const VfioDevice* each = group.devices; each != nullptr; each = each->next_in_group)
    if (each->bound != nullptr) return true;
  return false;
}

}  // namespace

os::Result<IommufdDevice*> make_device(VfioDevice& device, Description& iommufd) {
  IommuGroup& group = device.group;
  if (group.owner != nullptr && group.owner != &iommufd) return std::unexpected(Errno::eperm);
  if (group.owner == nullptr && group.domain != nullptr) return std::unexpected(Errno::ebusy);
  auto* made = device.machine.arena.make<IommufdDevice>(device, iommufd);
  iommufd_of(iommufd).objects.insert(*made);
  acquire(iommufd);
  acquire(iommufd);
  group.owner = &iommufd;
  device.bound = made;
  return made;
}

void destroy_device(IommufdDevice& bound) {
  VfioDevice& device = bound.device;
  Machine::Impl& machine = device.machine;
  Description& iommufd = bound.file;
  detach_device(bound);
  device.bound = nullptr;
  if (!is_claimed(device.group)) device.group.owner = nullptr;
  destroy_object(machine, bound.iommufd(), bound);
  release(machine, iommufd);
  release(machine, iommufd);
}

os::Result<std::uint32_t> attach_device(IommufdDevice& bound, std::uint32_t id) {
  IommufdObject* target = bound.iommufd().objects.find(id);
  if (target == nullptr) return std::unexpected(Errno::enoent);
  if (target->kind == ObjectKind::ioas) return attach_to_ioas(bound, static_cast<Ioas&>(*target));
  if (target->kind != ObjectKind::hwpt) return std::unexpected(Errno::einval);
  if (auto done = attach_or_replace(bound, static_cast<Hwpt&>(*target)); !done) return std::unexpected(done.error());
  return id;
}

void detach_device(IommufdDevice& bound) {
  Hwpt* hwpt = std::exchange(bound.attached, nullptr);
  if (hwpt == nullptr) return;
  unreserve(bound.device.machine, hwpt->ioas, &bound);
  if (hwpt_of(bound.device.group) == nullptr) bound.device.group.domain = nullptr;
  put_hwpt(bound.device.machine, bound.iommufd(), *hwpt);
}

}  // namespace vcpr::machine
