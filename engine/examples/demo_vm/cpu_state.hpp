// What the demo carries over of its vCPU beside the LAPIC, which is the engine's: the section "demo-cpu".
#pragma once

#include <array>
#include <cstddef>
#include <linux/kvm.h>

#include "engine/vmstate/fields.hpp"

namespace vcpr::demo {

/// The kernel's structs as they are: both sides run on the same host. No floating point, no debug registers: the guest
/// uses neither.
struct CpuState {
  std::uint32_t bytes = 0;  ///< of all that follows; another layout is refused
  std::array<std::byte, sizeof(kvm_regs)> registers{};
  std::array<std::byte, sizeof(kvm_sregs)> segments{};
  /// What was taken from the LAPIC and not yet injected.
  std::array<std::byte, sizeof(kvm_vcpu_events)> events{};
  std::uint32_t run_state = 0;  ///< kvm_mp_state: runnable, halted
  std::int64_t tsc_offset = 0;  ///< guest's TSC - host's TSC: the guest's clock goes on through a handover
};

inline constexpr std::uint32_t kCpuStateBytes =
    sizeof(kvm_regs) + sizeof(kvm_sregs) + sizeof(kvm_vcpu_events) + sizeof(std::uint32_t) + sizeof(std::int64_t);

inline constexpr vmstate::Field kCpuStateFields[] = {
    vmstate::field<&CpuState::bytes>("bytes").equal(), vmstate::buffer<&CpuState::registers>("registers"),
    vmstate::buffer<&CpuState::segments>("segments"),  vmstate::buffer<&CpuState::events>("events"),
    vmstate::field<&CpuState::run_state>("run_state"), vmstate::field<&CpuState::tsc_offset>("tsc_offset"),
};
inline constexpr auto kCpuState = vmstate::describe<CpuState>("demo-cpu", 1, kCpuStateFields);

/// Of a vCPU that does not run. os_error.
Expected<void> fetch(os::Kernel& kernel, int vcpu, CpuState& state);
Expected<void> restore(os::Kernel& kernel, int vcpu, const CpuState& state);
/// What CPUID says: a TSC and an APIC, whose timer KVM gives no period before it is told.
Expected<void> set_features(os::Kernel& kernel, int vcpu);
/// As it comes out of reset, in flat 32-bit mode at the guest's entry, interrupts off.
Expected<void> start_flat(os::Kernel& kernel, int vcpu);

}  // namespace vcpr::demo
