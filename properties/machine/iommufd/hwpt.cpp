#include "properties/machine/iommufd/hwpt.hpp"

#include "properties/machine/iommufd/fault_queue.hpp"
#include "properties/machine/iommufd/handlers.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// The IOAS's domain for a device, by intel_iommu_domain_alloc_paging_flags of an IOMMU in legacy mode: no nesting, no
/// dirty tracking, no data of the caller's.
os::Result<Hwpt*> alloc_paging(Command& command, Ioas& ioas, const abi::iommu_hwpt_alloc& argument) {
  constexpr std::uint32_t usable = abi::iommu_hwpt_fault_id_valid | abi::iommu_hwpt_alloc_pasid;
  if ((argument.flags & ~usable) != 0 || argument.data_len != 0) return std::unexpected(Errno::eopnotsupp);
  return make_hwpt(command.context.machine, command.iommufd, ioas);
}

/// iommufd_hwpt_nested_alloc: no HWPT here can be a parent.
Errno refuse_nested(const abi::iommu_hwpt_alloc& argument) {
  constexpr std::uint32_t usable = abi::iommu_hwpt_fault_id_valid | abi::iommu_hwpt_alloc_pasid;
  return (argument.flags & ~usable) != 0 || argument.data_len == 0 ? Errno::eopnotsupp : Errno::einval;
}

os::Result<void> add_faults(Command& command, Hwpt& hwpt, const abi::iommu_hwpt_alloc& argument) {
  if ((argument.flags & abi::iommu_hwpt_fault_id_valid) == 0) return {};
  IommufdObject* faults = command.iommufd.objects.find(argument.fault_id);
  if (faults == nullptr || faults->kind != ObjectKind::fault) return std::unexpected(Errno::enoent);
  hwpt.faults = static_cast<FaultQueue*>(faults);
  ++faults->users;
  return {};
}

Hwpt* find_hwpt(const IommufdContext& iommufd, std::uint32_t id) {
  IommufdObject* found = iommufd.objects.find(id);
  return found != nullptr && found->kind == ObjectKind::hwpt ? static_cast<Hwpt*>(found) : nullptr;
}

}  // namespace

std::optional<PagePlace> Hwpt::translate(std::uint64_t iova, bool write) const {
  const IoArea* area = find_area(ioas, iova, iova);
  if (area == nullptr || !area->is_pinned || !(write ? area->writable : area->readable)) return std::nullopt;
  return area->pins.at((iova - area->iova + area->page_offset) / kPageBytes);
}

os::Result<Hwpt*> make_hwpt(Machine::Impl& machine, IommufdContext& iommufd, Ioas& ioas) {
  auto* made = machine.arena.make<Hwpt>(ioas);
  if (auto done = add_domain(machine, ioas, *made); !done) {
    machine.arena.destroy(made);
    return std::unexpected(done.error());
  }
  iommufd.objects.insert(*made);
  ++ioas.users;
  Hwpt** link = &ioas.hwpts;
  while (*link != nullptr) link = &(*link)->next_in_ioas;
  *link = made;
  return made;
}

void clear_hwpt(Machine::Impl& machine, Hwpt& hwpt) {
  Hwpt** link = &hwpt.ioas.hwpts;
  while (*link != &hwpt) link = &(*link)->next_in_ioas;
  *link = hwpt.next_in_ioas;
  remove_domain(machine, hwpt.ioas, hwpt);
  --hwpt.ioas.users;
  if (hwpt.faults != nullptr) --hwpt.faults->users;
}

void put_hwpt(Machine::Impl& machine, IommufdContext& iommufd, Hwpt& hwpt) {
  --hwpt.users;
  if (hwpt.is_automatic && hwpt.users == 0) destroy_object(machine, iommufd, hwpt);
}

os::Result<void> hwpt_alloc(Command& command, abi::iommu_hwpt_alloc& argument) {
  if (argument.reserved != 0) return std::unexpected(Errno::eopnotsupp);
  if ((argument.data_type == abi::iommu_hwpt_data_none) != (argument.data_len == 0))
    return std::unexpected(Errno::einval);
  const IommufdObject* device = command.iommufd.objects.find(argument.dev_id);
  if (device == nullptr || device->kind != ObjectKind::device) return std::unexpected(Errno::enoent);
  IommufdObject* target = command.iommufd.objects.find(argument.pt_id);
  if (target != nullptr && target->kind == ObjectKind::hwpt) return std::unexpected(refuse_nested(argument));
  if (target == nullptr || target->kind != ObjectKind::ioas) return std::unexpected(Errno::einval);
  const auto made = alloc_paging(command, static_cast<Ioas&>(*target), argument);
  if (!made) return std::unexpected(made.error());
  if (auto done = add_faults(command, **made, argument); !done) {
    destroy_object(command.context.machine, command.iommufd, **made);
    return done;
  }
  argument.out_hwpt_id = (*made)->id;
  return command.respond(argument);
}

os::Result<void> hwpt_set_dirty_tracking(Command& command, abi::iommu_hwpt_set_dirty_tracking& argument) {
  if ((argument.flags & ~abi::iommu_hwpt_dirty_tracking_enable) != 0) return std::unexpected(Errno::eopnotsupp);
  if (find_hwpt(command.iommufd, argument.hwpt_id) == nullptr) return std::unexpected(Errno::enoent);
  return std::unexpected(Errno::eopnotsupp);
}

os::Result<void> hwpt_get_dirty_bitmap(Command& command, abi::iommu_hwpt_get_dirty_bitmap& argument) {
  if ((argument.flags & ~abi::iommu_hwpt_get_dirty_bitmap_no_clear) != 0 || argument.reserved != 0)
    return std::unexpected(Errno::eopnotsupp);
  if (find_hwpt(command.iommufd, argument.hwpt_id) == nullptr) return std::unexpected(Errno::enoent);
  return std::unexpected(Errno::eopnotsupp);
}

os::Result<void> hwpt_invalidate(Command& command, abi::iommu_hwpt_invalidate& argument) {
  constexpr std::uint32_t most = std::uint32_t{1} << 19;
  const bool is_bad_list = argument.entry_num != 0 && (argument.data_uptr == 0 || argument.entry_len == 0 ||
                                                       argument.entry_len > kPageBytes || argument.entry_num > most);
  Errno error = Errno::einval;  // for a paging HWPT, and every other kind there is
  if (argument.reserved != 0)
    error = Errno::eopnotsupp;
  else if (!is_bad_list && command.iommufd.objects.find(argument.hwpt_id) == nullptr)
    error = Errno::enoent;
  argument.entry_num = 0;
  if (auto done = command.respond(argument); !done) return done;
  return std::unexpected(error);
}

}  // namespace vcpr::machine
