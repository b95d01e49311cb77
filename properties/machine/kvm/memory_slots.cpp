#include "properties/machine/kvm/memory_slots.hpp"

#include "properties/machine/kvm/limits.hpp"
#include "properties/machine/memory.hpp"

namespace vcpr::machine {

using os::Errno;
using Region = os::abi::kvm_userspace_memory_region;

namespace {

constexpr std::uint32_t kFlags = os::abi::kvm_mem_log_dirty_pages | os::abi::kvm_mem_readonly;
constexpr std::uint64_t kMostPages = (std::uint64_t{1} << 31) - 1;
constexpr std::uint64_t kUserEnd = 0x7fff'ffff'f000;         // USER_PTR_MAX
constexpr std::uint64_t kGuestEnd = std::uint64_t{1} << 52;  // kvm_mmu_max_gfn

bool on_page(std::uint64_t value) {
  return value % kPageBytes == 0;
}

/// The sanity checks of kvm_set_memory_region, before it looks at what is there.
bool is_sane(const Region& region) {
  if ((region.slot & 0xffff) >= kUserMemorySlots || (region.flags & ~kFlags) != 0) return false;
  if (!on_page(region.memory_size) || !on_page(region.guest_phys_addr) || !on_page(region.userspace_addr)) return false;
  const std::uint64_t end = region.userspace_addr + region.memory_size;
  if (end < region.userspace_addr || end >= kUserEnd) return false;
  if (MemorySlot{region}.space() >= kAddressSpaces) return false;
  if (region.guest_phys_addr + region.memory_size < region.guest_phys_addr) return false;
  return region.memory_size / kPageBytes <= kMostPages;
}

bool is_within_guest(const Region& region) {
  return region.guest_phys_addr + region.memory_size <= kGuestEnd;
}

}  // namespace

bool MemorySlots::overlaps(const Region& region) const {
  const MemorySlot wanted{region};
  for (std::uint32_t position = by_address_.first_from(std::pair(wanted.space(), wanted.region.guest_phys_addr));
       position < by_address_.size(); ++position) {
    const MemorySlot& other = by_address_[position];
    if (other.space() != wanted.space() || other.region.guest_phys_addr > wanted.last()) return false;
    if (other.region.slot != region.slot) return true;
  }
  return false;
}

os::Result<void> MemorySlots::set(Arena& arena, const Region& region) {
  if (!is_sane(region)) return std::unexpected(Errno::einval);
  const std::uint32_t position = by_number_.first_from(region.slot);
  const bool is_there = position < by_number_.size() && by_number_[position].region.slot == region.slot;
  if (region.memory_size == 0) {
    if (!is_there) return std::unexpected(Errno::einval);
    destroy(arena, position);
    return {};
  }
  return is_there ? change(arena, by_number_[position], region) : create(arena, region);
}

void MemorySlots::destroy(Arena& arena, std::uint32_t position) {
  MemorySlot* slot = &by_number_[position];
  by_number_.remove(position);
  leave_address(*slot);
  arena.destroy(slot);
}

void MemorySlots::leave_address(const MemorySlot& slot) {
  by_address_.remove(by_address_.first_from(slot.place()));
}

os::Result<void> MemorySlots::create(Arena& arena, const Region& region) {
  if (overlaps(region)) return std::unexpected(Errno::eexist);
  if (!arena.has_room_for(sizeof(MemorySlot))) return std::unexpected(Errno::enomem);
  if (!is_within_guest(region)) return std::unexpected(Errno::einval);
  auto* made = arena.make<MemorySlot>(region);
  by_number_.insert(arena, *made);
  by_address_.insert(arena, *made);
  return {};
}

os::Result<void> MemorySlots::change(Arena& arena, MemorySlot& slot, const Region& region) {
  const Region& old = slot.region;
  if (region.userspace_addr != old.userspace_addr || region.memory_size != old.memory_size ||
      ((region.flags ^ old.flags) & os::abi::kvm_mem_readonly) != 0)
    return std::unexpected(Errno::einval);
  if (region.guest_phys_addr != old.guest_phys_addr) {
    if (overlaps(region)) return std::unexpected(Errno::eexist);
    if (!is_within_guest(region)) return std::unexpected(Errno::einval);
  }
  leave_address(slot);
  slot.region = region;
  by_address_.insert(arena, slot);
  return {};
}

void MemorySlots::clear(Arena& arena) {
  while (by_number_.size() != 0) destroy(arena, by_number_.size() - 1);
  by_number_.clear(arena);
  by_address_.clear(arena);
}

}  // namespace vcpr::machine
