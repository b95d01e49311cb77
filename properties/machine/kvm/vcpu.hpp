// A vCPU: its local APIC. Nothing runs on it; a schedule plays its guest (guest.hpp).
#pragma once

#include <cstdint>

#include "engine/os/kernel.hpp"
#include "properties/machine/kvm/lapic.hpp"

namespace vcpr::machine {

struct Context;
struct KvmVm;

/// Lives as long as its VM, its file closed or not.
struct Vcpu {
  Vcpu(KvmVm& of, std::uint32_t number) : vm(of), id(number), lapic(number) {}

  KvmVm& vm;
  std::uint32_t id;  ///< chosen by the caller
  Lapic lapic;       ///< unused where the VM has no irqchip
  Vcpu* next = nullptr;
};

/// KVM_CREATE_VCPU: a new descriptor; EINVAL for a high id or too many, EEXIST, EMFILE, ENOMEM
/// (kvm_vm_ioctl_create_vcpu).
os::Result<int> create_vcpu(Context& context, KvmVm& vm, std::uint64_t id);
Vcpu* find_vcpu(const KvmVm& vm, std::uint32_t id);

}  // namespace vcpr::machine
