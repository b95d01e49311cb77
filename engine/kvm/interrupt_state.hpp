// What KVM holds of pending and running interrupts, as sections of the main stream: "apic" of each vCPU, "i8259" of
// master and slave, "ioapic" (QEMU hw/i386/kvm/{apic,i8259,ioapic}.c). Takes part in a handover with the first rank.
//
// An interrupt goes from the IOAPIC and the PICs to a local APIC. So the sources are read before where they lead, and
// set after it: what is on its way is then in both or in the local APIC, and what a source sends when it is set stays.
#pragma once

#include <memory>

#include "engine/kvm/vm.hpp"
#include "engine/lifecycle/life.hpp"

namespace vcpr::kvm {

class InterruptState final : public lifecycle::Participant {
 public:
  /// Registers the sections, all or none of them, for every mode. duplicate_key. Life and VM must outlive it.
  static Expected<std::unique_ptr<InterruptState>> attach(lifecycle::Life& life, Vm& vm);
  ~InterruptState() override;

  std::string what() const override { return "interrupt controllers"; }
  /// KVM_GET_IRQCHIP, then KVM_GET_LAPIC of each vCPU: after every irqfd is gone, what was signalled is in here.
  Expected<void> let_go(lifecycle::Mode mode) override;
  /// What the fields' own rules do not say: each APIC is its vCPU's, the PICs are as a guest can program them.
  Expected<void> check_loaded() override;
  /// KVM_SET_LAPIC, then KVM_SET_IRQCHIP: before any irqfd is assigned, as the first erases what was injected.
  Expected<void> take_over() override;

  /// IA32_APIC_BASE of a vCPU. KVM has it among the registers that are the embedder's (KVM_GET_SREGS): set here before
  /// let_go, and put into the vCPU before take_over, as the meaning of a LAPIC page depends on it.
  std::uint32_t apic_base(std::uint32_t vcpu) const;
  void set_apic_base(std::uint32_t vcpu, std::uint32_t value);

 private:
  struct Sections;  ///< what the stream carries
  InterruptState(lifecycle::Life& life, Vm& vm);
  Expected<void> register_sections();
  template <class T>
  Expected<void> register_section(std::uint32_t instance_id, const vmstate::DescriptionOf<T>& description, T& object);
  Expected<void> get_chips();
  Expected<void> set_chips();

  lifecycle::Life& life_;
  Vm& vm_;
  std::unique_ptr<Sections> sections_;
};

}  // namespace vcpr::kvm
