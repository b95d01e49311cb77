// The KVM-VFIO pseudo device: VFIO files that a VM is told about, and keeps open (virt/kvm/vfio.c).
#pragma once

#include "engine/os/kernel.hpp"

namespace vcpr::machine {

struct Context;
struct KvmVm;

/// KVM_CREATE_DEVICE: ENODEV for other types, EBUSY for a second one of a VM, EMFILE, ENOMEM.
os::Result<int> create_kvm_device(Context& context, KvmVm& vm, void* argument);

}  // namespace vcpr::machine
