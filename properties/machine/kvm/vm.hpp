// A VM: what its file, its vCPUs, its devices and the VFIO devices linked with it share (virt/kvm/kvm_main.c).
#pragma once

#include <cstdint>

#include "engine/os/kernel.hpp"
#include "properties/machine/file_object.hpp"
#include "properties/machine/kvm/ioapic.hpp"
#include "properties/machine/kvm/memory_slots.hpp"
#include "properties/machine/kvm/pic.hpp"
#include "properties/machine/kvm/routing.hpp"
#include "properties/machine/mm_account.hpp"

namespace vcpr::machine {

class Hasher;
class Irqfd;  // NOLINT(cppcoreguidelines-virtual-class-destructor): final, which is seen at its definition only
struct Resampler;
struct Vcpu;

enum class Irqchip : std::uint8_t { none, full, split };

struct KvmVm {
  KvmVm(Machine::Impl& of, const Mm& owner) : machine(of), mm(owner) {}

  Machine::Impl& machine;
  Mm mm;                          ///< its only callers: ioctls from another one are EIO
  std::uint32_t description = 0;  ///< of its file, which may be closed
  std::uint32_t references = 0;   ///< its file, its vCPUs' and devices' files, open VFIO devices that were linked
  Irqchip irqchip = Irqchip::none;
  bool wide_apic_ids = false;    ///< KVM_X2APIC_API_USE_32BIT_IDS
  bool has_vfio_device = false;  ///< the KVM-VFIO device exists
  std::uint32_t vcpu_count = 0;
  Vcpu* vcpus = nullptr;  ///< in the order they were made
  MemorySlots slots;
  RouteTable routes;
  Ioapic ioapic;
  Pic pic;
  Irqfd* irqfds = nullptr;  ///< in the order they were assigned
  Irqfd* last_irqfd = nullptr;
  Resampler* resamplers = nullptr;
  KvmVm* next = nullptr;  ///< in Machine::Impl::vms
};

void acquire(KvmVm& vm);
/// The last reference destroys the VM: vCPUs, slots and routes go.
void release(KvmVm& vm);

/// KVM_CREATE_VM: a new descriptor; EMFILE, EINVAL for a type other than 0, ENOMEM (kvm_dev_ioctl_create_vm).
os::Result<int> create_vm(Context& context, std::uint64_t type);
/// KVM_CHECK_EXTENSION, on /dev/kvm and on VMs.
int check_extension(std::uint64_t capability);
/// Null when the VM whose file was that description is gone.
KvmVm* find_vm(Machine::Impl& machine, std::uint32_t description);
/// State of interrupts and slots, into the hash of the machine.
void hash_vm(Hasher& hasher, const KvmVm& vm);
/// EIO for a caller of another mm, before anything else is looked at.
os::Result<void> check_mm(Context& context, const KvmVm& vm);

}  // namespace vcpr::machine
