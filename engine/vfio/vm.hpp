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
};

}  // namespace vcpr::vfio
