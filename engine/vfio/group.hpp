// A VFIO group: devices that the host's IOMMU cannot keep apart. One process opens it; it sits in one container.
#pragma once

#include <cstdint>

#include "engine/vfio/type1_container.hpp"
#include "engine/vfio/vm.hpp"

namespace vcpr::vfio {

class Group {
 public:
  /// One device more in the VM's group of that number. The first one opens the group, puts it into a container and
  /// tells KVM; incoming it claims what came: missing_key, wrong_kind (another file), bad_state (no container). On
  /// error nothing is left of it.
  static Expected<Group*> join(Vm& vm, std::uint32_t number);
  /// One device fewer, after its file was closed. The last takes the group along, and that one perhaps its container:
  /// does all it can and returns the first error.
  static Expected<void> leave(Group& group);
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  std::uint32_t number() const { return number_; }
  /// Of (vfio_group, number) and (vfio_container_for_group, number) in the table.
  std::int32_t id() const { return static_cast<std::int32_t>(number_); }
  /// Borrowed from the table.
  int fd() const { return fd_; }
  Type1Container& container() const { return *container_; }

 private:
  Group(Vm& vm, std::uint32_t number) : vm_(vm), number_(number) {}
  Expected<void> open();
  Expected<void> find_descriptor();
  Expected<void> check_status();
  Expected<void> tell_kvm();
  Expected<void> tell_kvm_again();
  Expected<void> close();

  Vm& vm_;
  std::uint32_t number_;
  int fd_ = -1;
  Type1Container* container_ = nullptr;
  std::size_t devices_ = 0;
  bool kvm_knows_ = false;
  bool arrived_ = false;  ///< from an old process, whose KVM may have erased ours from the file (window W20)
};

}  // namespace vcpr::vfio
