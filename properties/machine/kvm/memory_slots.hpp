// KVM_SET_USER_MEMORY_REGION: guest-physical ranges and the addresses of the process behind them.
#pragma once

#include <cstdint>

#include "engine/os/abi/kvm.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::machine {

class Arena;

struct MemorySlot {
  os::abi::kvm_userspace_memory_region region;
  MemorySlot* next = nullptr;
};

/// Sorted by slot number, the address space in its upper half. Addresses are never looked up here.
class MemorySlots {
 public:
  const MemorySlot* first() const { return first_; }
  /// Creates, moves, changes flags or (size 0) deletes; errors of kvm_set_memory_region: EINVAL, EEXIST, ENOMEM.
  os::Result<void> set(Arena& arena, const os::abi::kvm_userspace_memory_region& region);
  void clear(Arena& arena);

 private:
  MemorySlot** place_of(std::uint32_t slot);
  os::Result<void> create(Arena& arena, MemorySlot** place, const os::abi::kvm_userspace_memory_region& region);
  os::Result<void> change(MemorySlot& slot, const os::abi::kvm_userspace_memory_region& region);
  bool overlaps(const os::abi::kvm_userspace_memory_region& region) const;

  MemorySlot* first_ = nullptr;
};

}  // namespace vcpr::machine
