// The section "apic": one vCPU's local APIC (QEMU hw/intc/apic_common.c), and its way to and from the register page of
// KVM_GET_LAPIC (hw/i386/kvm/apic.c).
#pragma once

#include <array>
#include <cstdint>

#include "engine/os/abi/kvm.hpp"
#include "engine/vmstate/fields.hpp"

namespace vcpr::kvm {

inline constexpr std::size_t kVectorWords = 8;
inline constexpr std::size_t kLvtEntries = 6;

/// IA32_APIC_BASE (Intel SDM volume 3, 11.4.4), the part of 32 bits that the section has.
inline constexpr std::uint32_t kApicBaseAddress = 0xfee00000;
inline constexpr std::uint32_t kApicBaseBootstrap = 1 << 8;
inline constexpr std::uint32_t kApicBaseX2 = 1 << 10;
inline constexpr std::uint32_t kApicBaseEnabled = 1 << 11;

/// Registers under the names of QEMU. What the page has not is kept as it came, or has the value it starts with.
struct Apic {
  std::uint32_t apicbase = kApicBaseAddress | kApicBaseEnabled;  ///< not of the page
  std::uint8_t id = 0;
  std::uint8_t arb_id = 0;
  std::uint8_t tpr = 0;
  std::uint32_t spurious_vec = 0xff;
  std::uint8_t log_dest = 0;
  std::uint8_t dest_mode = 0xf;  ///< model: f flat, 0 cluster
  std::array<std::uint32_t, kVectorWords> isr{};
  std::array<std::uint32_t, kVectorWords> tmr{};
  std::array<std::uint32_t, kVectorWords> irr{};
  std::array<std::uint32_t, kLvtEntries> lvt{};  ///< timer, thermal, performance, LINT0, LINT1, error
  std::uint32_t esr = 0;
  std::array<std::uint32_t, 2> icr{};
  std::uint32_t divide_conf = 0;
  std::int32_t count_shift = 0;  ///< the divisor of divide_conf, as a power of two
  std::uint32_t initial_count = 0;
  // QEMU's own timer, not of the page; without meaning where KVM has the timer
  std::int64_t initial_count_load_time = 0;
  std::int64_t next_time = 0;
  std::int64_t timer_expiry = vmstate::kTimerNotArmed;
  // Start-up of a processor, not of the page; without meaning where KVM starts them
  std::int32_t sipi_vector = 0;
  std::int32_t wait_for_sipi = 0;

  bool waits_for_sipi() const { return wait_for_sipi != 0; }
};

inline constexpr vmstate::Field kApicSipiFields[] = {
    vmstate::field<&Apic::sipi_vector>("sipi_vector"),
    vmstate::field<&Apic::wait_for_sipi>("wait_for_sipi"),
};
inline constexpr auto kApicSipi =
    vmstate::describe<Apic>("apic_sipi", 1, kApicSipiFields).minimum(1).needed_if<&Apic::waits_for_sipi>();
inline constexpr const vmstate::Description* kApicSubsections[] = {&kApicSipi};

inline constexpr vmstate::Field kApicFields[] = {
    vmstate::field<&Apic::apicbase>("apicbase"),
    vmstate::field<&Apic::id>("id"),
    vmstate::field<&Apic::arb_id>("arb_id"),
    vmstate::field<&Apic::tpr>("tpr"),
    vmstate::field<&Apic::spurious_vec>("spurious_vec"),
    vmstate::field<&Apic::log_dest>("log_dest"),
    vmstate::field<&Apic::dest_mode>("dest_mode").at_most(0xf),
    vmstate::field<&Apic::isr>("isr"),
    vmstate::field<&Apic::tmr>("tmr"),
    vmstate::field<&Apic::irr>("irr"),
    vmstate::field<&Apic::lvt>("lvt"),
    vmstate::field<&Apic::esr>("esr"),
    vmstate::field<&Apic::icr>("icr"),
    vmstate::field<&Apic::divide_conf>("divide_conf"),
    vmstate::field<&Apic::count_shift>("count_shift").at_most(7),
    vmstate::field<&Apic::initial_count>("initial_count"),
    vmstate::field<&Apic::initial_count_load_time>("initial_count_load_time"),
    vmstate::field<&Apic::next_time>("next_time"),
    vmstate::field<&Apic::timer_expiry>("timer_expiry"),
};
inline constexpr auto kApic = vmstate::describe<Apic>("apic", 3, kApicFields)
                                  .minimum(3)
                                  .at(vmstate::Priority::apic)
                                  .with_subsections(kApicSubsections);

/// Takes what the page has.
void read_page(const os::abi::kvm_lapic_state& page, Apic& apic);
/// A page for KVM_SET_LAPIC. Lost on the way from a page to a page: the version, the processor's priority, LVT CMCI
/// (masked), the timer's current count (KVM starts an armed timer anew), the bits beyond an xAPIC's eight of id and
/// logical id and beyond the eight of TPR and APR.
os::abi::kvm_lapic_state page_of(const Apic& apic);
/// bad_value: not vCPU `vcpu`'s (a guest may write its id, but KVM looks for it under the one it was made with);
/// x2APIC without being enabled.
Expected<void> check(const Apic& apic, std::uint32_t vcpu);

}  // namespace vcpr::kvm
