#include "properties/machine/kvm/vm_reference.hpp"

#include "properties/machine/kvm/vm.hpp"

namespace vcpr::machine {

void hold_vm(KvmVm& vm) {
  acquire(vm);
}
void drop_vm(Machine::Impl&, KvmVm& vm) {
  release(vm);
}

}  // namespace vcpr::machine
