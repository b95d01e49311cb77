// KVM_SET_USER_MEMORY_REGION: guest-physical ranges and the addresses of the process behind them.
#pragma once

#include <cstdint>
#include <utility>

#include "engine/os/abi/kvm.hpp"
#include "engine/os/kernel.hpp"
#include "properties/machine/sorted_list.hpp"

namespace vcpr::machine {

struct MemorySlot {
  os::abi::kvm_userspace_memory_region region;

  std::uint32_t number() const { return region.slot; }
  /// Address space and last address of the guest's.
  std::pair<std::uint32_t, std::uint64_t> place() const { return {space(), last()}; }
  std::uint32_t space() const { return region.slot >> 16; }
  std::uint64_t last() const { return region.guest_phys_addr + region.memory_size - 1; }
};

/// The caller's addresses are never looked up here.
class MemorySlots {
 public:
  using ByNumber = SortedList<MemorySlot, &MemorySlot::number>;

  /// The address space is in the upper half of the number.
  const ByNumber& by_number() const { return by_number_; }
  /// Creates, moves, changes flags or (size 0) deletes; errors of kvm_set_memory_region: EINVAL, EEXIST, ENOMEM.
  os::Result<void> set(Arena& arena, const os::abi::kvm_userspace_memory_region& region);
  void clear(Arena& arena);

 private:
  os::Result<void> create(Arena& arena, const os::abi::kvm_userspace_memory_region& region);
  os::Result<void> change(Arena& arena, MemorySlot& slot, const os::abi::kvm_userspace_memory_region& region);
  void destroy(Arena& arena, std::uint32_t position);
  void leave_address(const MemorySlot& slot);
  bool overlaps(const os::abi::kvm_userspace_memory_region& region) const;

  ByNumber by_number_;
  SortedList<MemorySlot, &MemorySlot::place> by_address_;
};

}  // namespace vcpr::machine
