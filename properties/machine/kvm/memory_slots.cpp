#include "properties/machine/kvm/memory_slots.hpp"

#include <utility>

#include "properties/machine/arena.hpp"
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
constexpr std::uint32_t kSpaceShift = 16;                    // of the address space in a slot number

bool on_page(std::uint64_t value) {
  return value % kPageBytes == 0;
}

/// The sanity checks of kvm_set_memory_region, before it looks at what is there.
bool is_sane(const Region& region) {
  if ((region.slot & 0xffff) >= kUserMemorySlots || (region.flags & ~kFlags) != 0) return false;
  if (!on_page(region.memory_size) || !on_page(region.guest_phys_addr) || !on_page(region.userspace_addr)) return false;
  const std::uint64_t end = region.userspace_addr + region.memory_size;
  if (end < region.userspace_addr || end >= kUserEnd) return false;
  if (region.slot >> kSpaceShift >= kAddressSpaces) return false;
  if (region.guest_phys_addr + region.memory_size < region.guest_phys_addr) return false;
  return region.memory_size / kPageBytes <= kMostPages;
}

bool is_within_guest(const Region& region) {
  return region.guest_phys_addr + region.memory_size <= kGuestEnd;
}

}  // namespace

MemorySlot** MemorySlots::place_of(std::uint32_t slot) {
  MemorySlot** place = &first_;
  while (*place != nullptr && (*place)->region.slot < slot) place = &(*place)->next;
  return place;
}

bool MemorySlots::overlaps(const Region& region) const {
  for (const MemorySlot* each = first_; each != nullptr; each = each->next) {
    const Region& other = each->region;
    if (other.slot == region.slot || other.slot >> kSpaceShift != region.slot >> kSpaceShift) continue;
    if (region.guest_phys_addr < other.guest_phys_addr + other.memory_size &&
        other.guest_phys_addr < region.guest_phys_addr + region.memory_size)
      return true;
  }
  return false;
}

os::Result<void> MemorySlots::set(Arena& arena, const Region& region) {
  if (!is_sane(region)) return std::unexpected(Errno::einval);
  MemorySlot** place = place_of(region.slot);
  MemorySlot* found = *place != nullptr && (*place)->region.slot == region.slot ? *place : nullptr;
  if (region.memory_size == 0) {
    if (found == nullptr) return std::unexpected(Errno::einval);
    *place = found->next;
    arena.destroy(found);
    return {};
  }
  return found == nullptr ? create(arena, place, region) : change(*found, region);
}

os::Result<void> MemorySlots::create(Arena& arena, MemorySlot** place, const Region& region) {
  if (overlaps(region)) return std::unexpected(Errno::eexist);
  if (!arena.has_room_for(sizeof(MemorySlot))) return std::unexpected(Errno::enomem);
  if (!is_within_guest(region)) return std::unexpected(Errno::einval);
  *place = arena.make<MemorySlot>(region, *place);
  return {};
}

os::Result<void> MemorySlots::change(MemorySlot& slot, const Region& region) {
  const Region& old = slot.region;
  if (region.userspace_addr != old.userspace_addr || region.memory_size != old.memory_size ||
      ((region.flags ^ old.flags) & os::abi::kvm_mem_readonly) != 0)
    return std::unexpected(Errno::einval);
  if (region.guest_phys_addr != old.guest_phys_addr) {
    if (overlaps(region)) return std::unexpected(Errno::eexist);
    if (!is_within_guest(region)) return std::unexpected(Errno::einval);
  }
  slot.region = region;
  return {};
}

void MemorySlots::clear(Arena& arena) {
  while (first_ != nullptr) arena.destroy(std::exchange(first_, first_->next));
}

}  // namespace vcpr::machine
