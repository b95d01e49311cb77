// The section "ioapic" (QEMU hw/intc/ioapic_common.c), and its way to and from KVM_GET_IRQCHIP (hw/i386/kvm/ioapic.c).
#pragma once

#include <array>
#include <cstdint>

#include "engine/kvm/routes.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/vmstate/fields.hpp"

namespace vcpr::kvm {

/// Where the chipset puts it; the section does not say.
inline constexpr std::uint64_t kIoapicAddress = 0xfec00000;
inline constexpr std::uint64_t kRedirectionMasked = 1 << 16;

constexpr std::array<std::uint64_t, kPins> all_masked() {
  std::array<std::uint64_t, kPins> table{};
  table.fill(kRedirectionMasked);
  return table;
}

struct Ioapic {
  std::uint8_t id = 0;
  std::uint8_t ioregsel = 0;
  std::uint32_t irr = 0;  ///< pins: high levels, and edges not yet served
  std::array<std::uint64_t, kPins> ioredtbl = all_masked();
};

inline constexpr vmstate::Field kIoapicFields[] = {
    vmstate::field<&Ioapic::id>("id").at_most(0xf),
    vmstate::field<&Ioapic::ioregsel>("ioregsel"),
    vmstate::unused<Ioapic>(8).since(2),
    vmstate::field<&Ioapic::irr>("irr").since(2).at_most((1U << kPins) - 1),
    vmstate::field<&Ioapic::ioredtbl>("ioredtbl"),
};
inline constexpr auto kIoapic = vmstate::describe<Ioapic>("ioapic", 3, kIoapicFields).minimum(1);

/// The section has eight bits of id and of ioregsel, as the registers have.
void read_chip(const os::abi::kvm_ioapic_state& chip, Ioapic& ioapic);
os::abi::kvm_ioapic_state chip_of(const Ioapic& ioapic);

}  // namespace vcpr::kvm
