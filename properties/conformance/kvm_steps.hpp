// Short forms of KVM calls that cases are made of.
#pragma once

#include <cstdint>
#include <span>

#include "engine/os/abi/kvm.hpp"
#include "properties/conformance/vfio_steps.hpp"

namespace vcpr::conformance {

/// A fixed-size struct of the caller.
template <class Argument>
Outcome ioctl(os::Kernel& kernel, int fd, std::uint64_t request, Argument* argument) {
  return outcome(kernel.ioctl(fd, request, argument));
}

int open_kvm(os::Kernel& kernel);
int make_bare_vm(os::Kernel& kernel);
/// A vCPU with its local APIC enabled by software and empty.
int make_vcpu(os::Kernel& kernel, int vm, std::uint64_t id = 0);

/// A VM with an irqchip and vCPU 0.
struct Vm {
  explicit Vm(os::Kernel& kernel, bool split = false);
  int fd, vcpu;
};

/// Two VMs whose GSIs 24-27 are messages: vectors 0x51-0x54 of the first, 0x61-0x64 of the second; two eventfds.
struct TwoVms {
  explicit TwoVms(os::Kernel& kernel);
  Vm a, b;
  int e, e2;
};

Outcome split_irqchip(os::Kernel& kernel, int vm, std::uint64_t pins = 24);
Outcome irqfd(os::Kernel& kernel, int vm, int fd, std::uint32_t gsi, std::uint32_t flags = 0, int resamplefd = 0);
Outcome deassign(os::Kernel& kernel, int vm, int fd, std::uint32_t gsi);
os::abi::kvm_irq_routing_entry message_route(std::uint32_t gsi, std::uint32_t vector);
os::abi::kvm_irq_routing_entry pin_route(std::uint32_t gsi, std::uint32_t chip, std::uint32_t pin);
Outcome set_routes(os::Kernel& kernel, int vm, std::span<const os::abi::kvm_irq_routing_entry> routes,
                   std::uint32_t flags = 0);
/// `count` messages to vCPU 0 from `gsi` and `vector` on.
Outcome route_messages(os::Kernel& kernel, int vm, std::uint32_t count, std::uint32_t gsi, std::uint32_t vector);
Outcome signal_msi(os::Kernel& kernel, int vm, std::uint32_t address, std::uint32_t data, std::uint32_t flags = 0,
                   std::uint32_t address_hi = 0);
/// IRQ_LINE_STATUS: its status, or the errno.
Outcome line_status(os::Kernel& kernel, int vm, std::uint32_t gsi, std::uint32_t level);
os::abi::kvm_ioapic_state ioapic_of(os::Kernel& kernel, int vm);

/// A register of a local APIC, or the errno.
Outcome apic_register(os::Kernel& kernel, int vcpu, std::uint32_t offset);
Outcome set_apic_register(os::Kernel& kernel, int vcpu, std::uint32_t offset, std::uint32_t value);
/// Enables the local APIC by software and clears its IRR.
Outcome reset_lapic(os::Kernel& kernel, int vcpu);
/// Whether a vector is in IRR: 1 or 0, or the errno.
Outcome requested(os::Kernel& kernel, int vcpu, std::uint8_t vector);
/// The same once a worker had time to inject it: waits until it is there, half a second at most.
Outcome requested_soon(os::Kernel& kernel, int vcpu, std::uint8_t vector);
/// Gives workers of the kernel time.
void settle(os::Kernel& kernel);

}  // namespace vcpr::conformance
