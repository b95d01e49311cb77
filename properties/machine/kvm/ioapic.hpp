// The in-kernel IOAPIC (arch/x86/kvm/ioapic.c), without what KVM does for the RTC's pin alone.
#pragma once

#include <cstdint>

#include "engine/os/abi/kvm.hpp"

namespace vcpr::machine {

struct KvmVm;
enum class LineSource : std::uint8_t;

struct Ioapic {
  Ioapic();

  os::abi::kvm_ioapic_state state;  ///< irr: high level lines, and edges not yet served
  std::uint32_t served_edges = 0;   ///< of irr; not shown to user space (irr_delivered)
  std::uint8_t sources[24] = {};    ///< who holds each line
};

/// kvm_get_ioapic, kvm_set_ioapic: setting raises the pins whose irr bit is set.
os::abi::kvm_ioapic_state get_ioapic(const KvmVm& vm);
void set_ioapic(KvmVm& vm, const os::abi::kvm_ioapic_state& state);
/// kvm_ioapic_set_irq; see set_irq() for the result.
int set_ioapic_pin(KvmVm& vm, std::uint32_t pin, LineSource source, bool level);
/// A guest's write to a register behind ioregsel (ioapic_write_indirect): 0x10 + 2 * pin is a pin's lower half.
void write_ioapic(KvmVm& vm, std::uint8_t index, std::uint32_t value);
/// kvm_ioapic_update_eoi: `level` as the local APIC's TMR says.
void end_of_ioapic_interrupt(KvmVm& vm, std::uint8_t vector, bool level);

}  // namespace vcpr::machine
