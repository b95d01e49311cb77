#include "properties/machine/kvm/vm_reference.hpp"

namespace vcpr::machine {

void hold_vm(KvmVm&) {}
void drop_vm(Machine::Impl&, KvmVm&) {}

}  // namespace vcpr::machine
