// Interrupts: none is lost, none is stuck, and nobody has what only one may have.
#include <algorithm>

#include "engine/os/abi/kvm.hpp"
#include "engine/os/abi/vfio.hpp"
#include "properties/whole_vm/verdicts.hpp"

namespace vcpr::whole_vm {

namespace {

namespace request = os::abi::request;

std::string text(const Line& line) {
  return "device " + number(line.device) + " vector " + number(line.vector);
}

}  // namespace

Verdict every_raise_is_handled(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (const std::vector<Line>* lines : {&handover.settled, &handover.rig.guest().lines()}) {
    for (const Line& line : *lines) {
      if (line.raised != 0 && line.handled_since_raise == 0)
        return violated("I23", "the guest handles " + text(line) + " after its last raise", "it never did");
    }
  }
  return {};
}

Verdict no_line_is_stuck(const Handover& handover) {
  if (handover.after == nullptr) return {};
  if (handover.rig.guest().met_a_storm()) return violated("I24", "each interrupt ends when it is handled", "a storm");
  for (const machine::DeviceFact& each : machine::Truth(handover.rig.machine()).devices()) {
    if (!handover.rig.guest().is_on(each.number)) continue;  // nobody will ever look
    if (each.intx_masked) return violated("I24", "INTx of device " + number(each.number) + " open again", "masked");
  }
  return {};
}

Verdict an_eventfd_has_one_irqfd(const Handover& handover) {
  const auto irqfds = machine::Truth(handover.rig.machine()).irqfds();
  for (std::size_t i = 0; i < irqfds.size(); ++i) {
    for (std::size_t j = i + 1; j < irqfds.size(); ++j) {
      if (irqfds[i].eventfd == irqfds[j].eventfd)
        return violated("I25", "one irqfd of eventfd " + number(irqfds[i].eventfd), "two");
    }
  }
  return {};
}

Verdict old_has_no_irqfd_left(const Handover& handover) {
  if (!handover.given() || handover.rig.old_owner() == handover.rig.new_owner()) return {};
  if (handover.after->irqfds.size() != handover.before.irqfds.size())
    return violated("I26", number(handover.before.irqfds.size()) + " irqfds", number(handover.after->irqfds.size()));
  Owner& old = *handover.rig.old_owner();
  if (!old.process.alive() || &old.process == &handover.rig.owner()->process) return {};
  for (const machine::IrqfdFact& each : handover.after->irqfds) {
    if (each.owner == &old.process)
      return violated("I26", "old has no irqfd", "one of eventfd " + number(each.eventfd));
  }
  if (!old.vm) return {};
  for (const store::Entry& entry : old.vm->life().cpr.descriptors) {
    if (old.loop.is_watched(entry.number))
      return violated("I26", "old watches nothing of the VM's", std::string(entry.key.name));
  }
  return {};
}

Verdict irqfds_come_last(const Handover& handover) {
  if (handover.disturbed || !handover.given()) return {};
  const Owner& owner = *handover.rig.owner();
  std::uint64_t first_irqfd = 0;
  for (const Asked& each : handover.witness.asked()) {
    const bool is_new = each.pid == owner.process.pid() && each.image == owner.process.image();
    if (each.request == request::kvm_irqfd && is_new && first_irqfd == 0) first_irqfd = each.number;
    if (first_irqfd == 0 || each.number < first_irqfd) continue;
    if (each.request == request::kvm_irqfd && !is_new)
      return violated("I27", "old has let go of every irqfd before call " + number(first_irqfd), number(each.number));
    for (std::uint64_t late : {request::kvm_set_lapic, request::kvm_set_irqchip, request::kvm_set_gsi_routing}) {
      if (is_new && each.request == late && each.number < owner.vcpus.runs().front().from)
        return violated("I27", "controllers and routes before the first irqfd",
                        "request " + number(late) + " after it");
    }
  }
  return {};
}

Verdict triggers_stay(const Handover& handover) {
  if (handover.after == nullptr) return {};
  if (handover.after->triggers != handover.before.triggers) return violated("I28", "every trigger as before", "others");
  // A device whose messages are off has its pin.
  const auto kicks = static_cast<std::uint64_t>(
      std::ranges::count(handover.before.triggers, os::abi::vfio_pci_intx_irq_index, &machine::TriggerFact::index));
  const auto calls = handover.witness.count(request::vfio_device_set_irqs);
  if (!handover.disturbed && !has_pin_by_hand(handover) && calls > kicks)
    return violated("I28", "at most " + number(kicks) + " SET_IRQS, the kicks of pins", number(calls));
  return {};
}

}  // namespace vcpr::whole_vm
