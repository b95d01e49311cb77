#include "properties/machine/vfio/container.hpp"

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/type1.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// iommu_group_claim_dma_owner. An emulated group has no DMA of its own to own.
os::Result<void> claim(GroupFile& group) {
  if (group.group.is_emulated) return {};
  if (group.group.owner != nullptr) return std::unexpected(Errno::eperm);
  group.group.owner = &group;
  return {};
}

void disclaim(GroupFile& group) {
  if (group.group.owner == &group) group.group.owner = nullptr;
}

}  // namespace

os::Result<int> Container::ioctl(Context& context, Description&, std::uint64_t request, void* argument) {
  switch (request) {
    case abi::request::vfio_get_api_version:
      return static_cast<int>(abi::vfio_api_version);
    case abi::request::vfio_check_extension:
      return check_extension(context.machine.switches, reinterpret_cast<std::uintptr_t>(argument));
    case abi::request::vfio_set_iommu:
      return set_iommu(context, reinterpret_cast<std::uintptr_t>(argument));
    default:
      if (type1_ == nullptr) return std::unexpected(Errno::einval);
      return type1_->ioctl(context, request, argument);
  }
}

/// vfio_container_ioctl_check_extension: without a driver each is asked about no state.
os::Result<int> Container::check_extension(const Switches& switches, std::uint64_t extension) const {
  switch (extension) {
    case abi::vfio_type1_iommu:
    case abi::vfio_type1v2_iommu:
      return 1;
    case abi::vfio_unmap_all:
      return switches.unmap_all ? 1 : 0;
    case abi::vfio_update_vaddr:
      return switches.update_vaddr && type1_ != nullptr && !type1_->has_emulated_groups() ? 1 : 0;
    case abi::vfio_dma_cc_iommu:
      return type1_ != nullptr && type1_->enforces_coherency() ? 1 : 0;
    default:
      return 0;
  }
}

/// vfio_ioctl_set_iommu.
os::Result<int> Container::set_iommu(Context& context, std::uint64_t type) {
  if (groups_ == nullptr || type1_ != nullptr) return std::unexpected(Errno::einval);
  if (type != abi::vfio_type1_iommu && type != abi::vfio_type1v2_iommu) return std::unexpected(Errno::enodev);
  Machine::Impl& machine = context.machine;
  auto* state = machine.arena.make<Type1>(machine, type == abi::vfio_type1v2_iommu);
  for (GroupFile* each = groups_; each != nullptr; each = each->next_attached) {
    if (auto done = state->attach(context, each->group); !done) {
      for (GroupFile* undo = groups_; undo != each; undo = undo->next_attached) state->detach(undo->group);
      state->clear();
      machine.arena.destroy(state);
      return std::unexpected(done.error());
    }
  }
  type1_ = state;
  return 0;
}

os::Result<void> Container::attach_group(Context& context, GroupFile& group) {
  if (auto owned = claim(group); !owned) return owned;
  if (type1_ != nullptr) {
    if (auto done = type1_->attach(context, group.group); !done) {
      disclaim(group);
      return done;
    }
  }
  group.next_attached = nullptr;
  GroupFile** link = &groups_;
  while (*link != nullptr) link = &(*link)->next_attached;
  *link = &group;
  return {};
}

/// vfio_group_detach_container: with the last group goes all of type1's state.
void Container::detach_group(Machine::Impl& machine, GroupFile& group) {
  if (type1_ != nullptr) type1_->detach(group.group);
  disclaim(group);
  GroupFile** link = &groups_;
  while (*link != &group) link = &(*link)->next_attached;
  *link = group.next_attached;
  if (groups_ == nullptr && type1_ != nullptr) {
    type1_->clear();
    machine.arena.destroy(std::exchange(type1_, nullptr));
  }
  free_when_unused(machine);
}

/// vfio_group_use_container: an open device keeps the group's file.
os::Result<void> Container::use_device(Context&, GroupFile& group, VfioDevice&) {
  if (type1_ == nullptr) return std::unexpected(Errno::einval);
  acquire(*group.description);
  return {};
}

void Container::unuse_device(Machine::Impl& machine, GroupFile& group, VfioDevice&) {
  release(machine, *group.description);
}

void Container::released(Machine::Impl& machine, Description& file) {
  file.object = nullptr;
  is_open_ = false;
  free_when_unused(machine);
}

void Container::free_when_unused(Machine::Impl& machine) {
  if (!is_open_ && groups_ == nullptr) machine.arena.destroy(this);
}

os::Result<FileObject*> open_container(Context& context) {
  return context.machine.arena.make<Container>();
}

}  // namespace vcpr::machine
