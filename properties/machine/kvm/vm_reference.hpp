// References on a VM from outside KVM: an open device that was linked to it keeps the object (kvm_get_kvm_safe).
#pragma once

#include "properties/machine/machine.hpp"

namespace vcpr::machine {

struct KvmVm;

void hold_vm(KvmVm& vm);
void drop_vm(Machine::Impl& machine, KvmVm& vm);

}  // namespace vcpr::machine
