// A VM as its passthrough devices see it.
#pragma once

#include <list>
#include <memory>

#include "engine/kvm/vm.hpp"
#include "engine/lifecycle/life.hpp"
#include "engine/memory/address_map.hpp"

namespace vcpr::vfio {

class Group;
class Iommufd;
class Type1Container;

struct Vm {
  Vm(lifecycle::Life& life, memory::AddressMap& memory, kvm::Vm* kvm, kvm::InterruptSink& interrupts);
  ~Vm();
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  lifecycle::Life& life;
  memory::AddressMap& memory;
  /// Null without KVM: every interrupt then goes through `interrupts`.
  kvm::Vm* kvm;
  kvm::InterruptSink& interrupts;

  // What devices share; made with the first device that needs it, gone with the last (group.hpp, iommufd.hpp).
  std::list<std::unique_ptr<Type1Container>> containers;
  std::list<std::unique_ptr<Group>> groups;
  std::list<std::unique_ptr<Iommufd>> iommufds;
  /// Closes KVM when the VM was given away; with the first container (vfio_cpr_add_kvm_notifier).
  std::unique_ptr<lifecycle::Participant> kvm_notifier;

  /// Whether the kernel's VFIO and iommufd objects are ours to change: not while another process has the VM, or may
  /// have it. Otherwise an object that goes closes its descriptors and leaves the rest to the kernel.
  bool may_change() const;
  /// Incoming, when every device is there: unclaimed for a device record that no device has taken.
  Expected<void> check_records() const;
};

}  // namespace vcpr::vfio
