// What KVM holds of pending and running interrupts, as sections of the main stream: "apic" of each vCPU, "ioapic",
// "i8259" (QEMU hw/i386/kvm/{apic,ioapic,i8259}.c, hw/intc/*_common.c). Takes part in a handover with the first rank.
#pragma once

#include <memory>
#include <vector>

#include "engine/kvm/vm.hpp"
#include "engine/lifecycle/life.hpp"

namespace vcpr::kvm {

class InterruptState final : public lifecycle::Participant {
 public:
  /// Registers the sections. duplicate_key.
  static Expected<std::unique_ptr<InterruptState>> attach(lifecycle::Life& life, Vm& vm);
  ~InterruptState() override;

  std::string what() const override { return "interrupt controllers"; }
  /// KVM_GET_LAPIC of each vCPU, KVM_GET_IRQCHIP: after every irqfd is gone, what was signalled is in here.
  Expected<void> let_go(lifecycle::Mode mode) override;
  Expected<void> check_loaded() override;
  /// KVM_SET_IRQCHIP, KVM_SET_LAPIC: before any irqfd is assigned, as it would erase what was injected.
  Expected<void> take_over() override;

 private:
  struct Sections;  ///< what the stream carries
  InterruptState(lifecycle::Life& life, Vm& vm);

  lifecycle::Life& life_;
  Vm& vm_;
  std::unique_ptr<Sections> sections_;
};

}  // namespace vcpr::kvm
