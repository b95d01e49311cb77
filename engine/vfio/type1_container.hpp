// A type1 container: what groups map together through /dev/vfio/vfio.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/vfio/container.hpp"
#include "engine/vfio/vfio_cpr.hpp"
#include "engine/vfio/vm.hpp"

namespace vcpr::vfio {

class Group;

class Type1Container final : public Container {
 public:
  /// Puts the group into the first container of the VM that takes it (the kernel is asked by SET_CONTAINER), or into a
  /// new one. Incoming: finds the one it is in, and neither attaches nor sets a type. On error the group is in none.
  static Expected<Type1Container*> connect(Vm& vm, const Group& group);
  /// Takes the group out, and with the last one the container away. Does all it can, returns the first error.
  static Expected<void> disconnect(Type1Container& container, const Group& group);
  ~Type1Container() override;

  /// By order of creation, from 0.
  std::uint32_t number() const { return number_; }
  /// Borrowed from the table: that of any of its groups.
  int fd() const { return fd_; }
  /// A group that is in it; each has the entry (vfio_container_for_group, group).
  std::int32_t group_id() const { return groups_.front(); }
  /// VFIO_CHECK_EXTENSION.
  Expected<bool> has(std::uint32_t extension);
  /// Fresh: maps what there is, once, and from here on what comes. Incoming: nothing before take_over.
  Expected<void> start_mapping();

  // Steps of a handover (vfio_cpr_container.cpp registers them)
  /// Old side: VFIO_IOMMU_UNMAP_DMA with VADDR and ALL, once an attempt. bad_state while the guest runs (invariant
  /// I14), or when the kernel held other mappings than the books say.
  Expected<void> invalidate_vaddrs();
  /// Old side: makes every mapping's vaddr ours again, also one that the new process has restored for itself. Goes on
  /// after errors; called again it asks for what is still missing.
  Expected<void> restore_vaddrs();
  /// New side: hears of every range, updates the vaddr of each mapping, and makes sure that the kernel holds no other.
  Expected<void> take_over_vaddrs();
  /// New side: forgets the mappings. The kernel is not asked: what it holds may be the old side's again.
  void forget_vaddrs();

  VFIOContainerCPR cpr;

 protected:
  Expected<bool> map(DmaMapping& mapping) override;
  Expected<void> unmap(const DmaMapping& mapping) override;
  Expected<void> restore(DmaMapping& mapping) override;

 private:
  Type1Container(Vm& vm, std::uint32_t number) : Container(vm.memory), vm_(vm), number_(number) {}
  static Expected<Type1Container*> create(Vm& vm, const Group& group, int arrived);
  static Expected<Type1Container*> find_arrived(Vm& vm, const Group& group);
  Expected<void> open(const Group& group);
  Expected<void> set_up(const Group& group);
  Expected<void> check_api();
  Expected<void> check_page_size();
  Expected<void> attach(const Group& group);
  Expected<void> detach(const Group& group);
  Expected<void> set_type();
  Expected<void> update_vaddr(const DmaMapping& mapping);
  /// VFIO_IOMMU_UNMAP_DMA with VADDR; the bytes of the mappings that were valid until now.
  Expected<std::uint64_t> invalidate(std::uint64_t iova, std::uint64_t size, std::uint32_t more_flags);
  Expected<void> check_gap(std::uint64_t first, std::uint64_t end);
  Expected<void> check_nothing_else();

  Vm& vm_;
  std::uint32_t number_;
  int fd_ = -1;
  std::vector<std::int32_t> groups_;
  /// take_over_vaddrs is under way: this container's mappings are there already, only their vaddrs are updated.
  bool adopting_ = false;
};

}  // namespace vcpr::vfio
