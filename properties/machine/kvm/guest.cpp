#include "properties/machine/kvm/guest.hpp"

namespace vcpr::machine {

int take_interrupt(Vcpu& vcpu) {
  return vcpu.lapic.acknowledge();
}

int end_interrupt(Vcpu& vcpu) {
  const int vector = vcpu.lapic.end_of_interrupt();
  if (vector == kNoVector || vcpu.vm.irqchip != Irqchip::full) return vector;
  const auto ended = static_cast<std::uint8_t>(vector);
  end_of_ioapic_interrupt(vcpu.vm, ended, vcpu.lapic.has(ApicRegister::trigger_mode, ended));
  return vector;
}

}  // namespace vcpr::machine
