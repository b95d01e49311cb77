// MAP_DMA: new mappings, and new addresses for those whose vaddr was invalidated.
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/vfio/type1.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::uint32_t kRights = abi::vfio_dma_map_flag_read | abi::vfio_dma_map_flag_write;
constexpr std::uint32_t kMapFlags = kRights | abi::vfio_dma_map_flag_vaddr;

/// What vfio_dma_do_map looks at before it takes the lock.
os::Result<void> check(const abi::vfio_iommu_type1_dma_map& wanted) {
  if (wanted.size == 0) return std::unexpected(Errno::einval);
  if (wanted.iova + (wanted.size - 1) < wanted.iova || wanted.vaddr + (wanted.size - 1) < wanted.vaddr)
    return std::unexpected(Errno::eoverflow);
  const bool has_rights = (wanted.flags & kRights) != 0;
  const bool is_update = (wanted.flags & abi::vfio_dma_map_flag_vaddr) != 0;
  if (has_rights == is_update) return std::unexpected(Errno::einval);
  if ((wanted.size | wanted.iova | wanted.vaddr) % kPageBytes != 0) return std::unexpected(Errno::einval);
  return {};
}

/// Pages of BARs are neither pinned nor charged.
std::uint64_t charged_pages(const Pins& pins) {
  std::uint64_t pages = 0;
  for (const PinnedRun* run = pins.runs; run != nullptr; run = run->next)
    if (!run->memory->is_device) pages += run->pages;
  return pages;
}

/// vfio_pin_pages_remote goes page by page: whichever comes first ends it, a page that is not there or the limit.
bool limit_comes_first(Context& context, const DmaMapping& mapping) {
  const AddressSpace& space = context.process.space;
  const std::uint64_t limit = context.process.memlock_limit / kPageBytes;
  const std::uint64_t room = limit > space.locked_pages ? limit - space.locked_pages : 0;
  if (mapping.lock_capable || room >= mapping.pages()) return false;
  auto pins =
      pin_user(context.machine, context.process.space, mapping.vaddr, (room + 1) * kPageBytes, mapping.may_write);
  if (!pins) return false;
  const bool is_beyond = charged_pages(*pins) > room;
  unpin(context.machine, *pins);
  return is_beyond;
}

}  // namespace

/// vfio_iommu_type1_map_dma.
os::Result<int> Type1::map_dma(Context& context, void* argument) {
  const auto wanted = copy_in<abi::vfio_iommu_type1_dma_map>(context, argument);
  if (!wanted) return std::unexpected(wanted.error());
  const std::uint32_t known = machine_.switches.update_vaddr ? kMapFlags : kRights;
  if (wanted->argsz < sizeof *wanted || (wanted->flags & ~known) != 0) return std::unexpected(Errno::einval);
  if (auto done = map(context, *wanted); !done) return std::unexpected(done.error());
  return 0;
}

/// vfio_dma_do_map.
os::Result<void> Type1::map(Context& context, const abi::vfio_iommu_type1_dma_map& wanted) {
  if (auto good = check(wanted); !good) return good;
  if ((wanted.flags & abi::vfio_dma_map_flag_vaddr) != 0) return update_vaddr(context, wanted);
  const std::uint64_t last = wanted.iova + (wanted.size - 1);
  if (mappings_.find(wanted.iova, last) != nullptr) return std::unexpected(Errno::eexist);
  if (dma_available_ == 0) return std::unexpected(Errno::enospc);
  if (!lies_in_a_window(wanted.iova, last)) return std::unexpected(Errno::einval);
  return add(context, wanted);
}

os::Result<void> Type1::add(Context& context, const abi::vfio_iommu_type1_dma_map& wanted) {
  if (context.fires(FaultPoint::ioctl_map_dma_enomem) || !machine_.arena.has_room_for(4 * kPageBytes))
    return std::unexpected(Errno::enomem);
  DmaMapping mapping;
  mapping.iova = wanted.iova;
  mapping.size = wanted.size;
  mapping.vaddr = wanted.vaddr;
  mapping.may_read = (wanted.flags & abi::vfio_dma_map_flag_read) != 0;
  mapping.may_write = (wanted.flags & abi::vfio_dma_map_flag_write) != 0;
  mapping.owner = Mm::of(context.process);
  mapping.lock_capable = context.process.can_lock_memory;
  if (physical_groups_ != 0)
    if (auto pinned = pin(context, mapping); !pinned) return pinned;
  if (tracks_dirty_) {
    if (auto tracked = track(mapping); !tracked) {
      unpin_mapping(mapping);
      return tracked;
    }
  }
  --dma_available_;
  record(mappings_.insert(machine_.arena, mapping), IovaChangeKind::mapped);
  return {};
}

/// vfio_pin_map_dma: the pages come from the caller's address space, the charge goes to the mapping's owner.
os::Result<void> Type1::pin(Context& context, DmaMapping& mapping) {
  if (limit_comes_first(context, mapping)) return std::unexpected(Errno::enomem);
  auto pins = pin_user(machine_, context.process.space, mapping.vaddr, mapping.size, mapping.may_write);
  if (!pins) return std::unexpected(pins.error());
  const std::uint64_t pages = charged_pages(*pins);
  if (auto charged = charge_locked(mapping.owner, pages, mapping.lock_capable); !charged) {
    unpin(machine_, *pins);
    return charged;
  }
  mapping.locked_pages = pages;
  mapping.pins = *pins;
  mapping.is_mapped = true;
  return {};
}

/// vfio_unmap_unpin.
void Type1::unpin_mapping(DmaMapping& mapping) {
  uncharge_locked(mapping.owner, mapping.locked_pages);
  mapping.locked_pages = 0;
  unpin(machine_, mapping.pins);
  mapping.is_mapped = false;
}

/// The VADDR branch of vfio_dma_do_map, with vfio_change_dma_owner: the address is taken as it comes.
os::Result<void> Type1::update_vaddr(Context& context, const abi::vfio_iommu_type1_dma_map& wanted) {
  DmaMapping* mapping = mappings_.find(wanted.iova, wanted.iova + (wanted.size - 1));
  if (mapping == nullptr) return std::unexpected(Errno::enoent);
  if (!mapping->vaddr_invalid || mapping->iova != wanted.iova || mapping->size != wanted.size)
    return std::unexpected(Errno::einval);
  const Mm caller = Mm::of(context.process);
  if (caller != mapping->owner) {
    const bool capable = context.process.can_lock_memory;
    if (context.fires(FaultPoint::ioctl_update_vaddr_eintr)) return std::unexpected(Errno::eintr);
    if (context.fires(FaultPoint::ioctl_update_vaddr_enomem)) return std::unexpected(Errno::enomem);
    if (auto charged = charge_locked(caller, mapping->locked_pages, capable); !charged) return charged;
    uncharge_locked(mapping->owner, mapping->locked_pages);
    mapping->owner = caller;
    mapping->lock_capable = capable;
  }
  mapping->vaddr = wanted.vaddr;
  mapping->vaddr_invalid = false;
  --invalid_vaddrs_;
  record(*mapping, IovaChangeKind::vaddr_updated);
  return {};
}

}  // namespace vcpr::machine
