// The guest: one of it, unharmed, and told nothing of the move.
#include <algorithm>

#include "properties/whole_vm/verdicts.hpp"

namespace vcpr::whole_vm {

Verdict the_guest_sees_the_same_device(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (std::size_t i = 0; i < handover.before.config.size(); ++i) {
    for (std::size_t word = 0; word < handover.before.config[i].size(); ++word) {
      if (handover.before.config[i][word] != handover.after->config[i][word])
        return violated("I32",
                        "word " + number(word) + " of header, MSI and MSI-X of device " + number(i) + " is " +
                            number(handover.before.config[i][word]),
                        number(handover.after->config[i][word]));
    }
    if (handover.before.msix_table[i] != handover.after->msix_table[i])
      return violated("I30", "the MSI-X table of device " + number(i), "another");
  }
  return {};
}

Verdict no_device_is_reset(const Handover& handover) {
  if (handover.after == nullptr) return {};  // the last close resets it
  Verdict verdict;
  machine::Truth(handover.rig.machine()).device_changes().for_each([&](const machine::DeviceChange& each) {
    if (is_of(handover, each.call_number) && handover.rig.is_plugged(each.device)) verdict = touched(each);
  });
  return verdict;
}

Verdict memory_keeps_its_contents(const Handover& handover) {
  if (handover.after == nullptr) return {};
  if (handover.before.ram == handover.after->ram) return {};
  return violated("I34", "the guest's memory as it was", "other contents");
}

Verdict one_guest_runs(const Handover& handover) {
  const Owner* old = handover.rig.old_owner();
  const Owner* taker = handover.rig.new_owner();
  if (taker == nullptr || taker->vcpus.runs().empty()) return {};
  const std::uint64_t first = taker->vcpus.runs().front().from;
  for (const GuestVcpus::Run& run : old->vcpus.runs()) {
    if (run.to > first)
      return violated("I35", "old runs no guest after call " + number(first), "until " + number(run.to));
  }
  return {};
}

Verdict the_run_state_crosses_over(const Handover& handover) {
  if (handover.after == nullptr) return {};
  if (handover.after->run_state != handover.before.run_state)
    return violated("I36", std::string(name(handover.before.run_state)), std::string(name(handover.after->run_state)));
  if (handover.after->incoming) return violated("I37", "incoming no more", "still incoming");
  return {};
}

Verdict a_failed_attempt_changes_nothing(const Handover& handover) {
  if (!handover.kept()) return {};
  const Facts& before = handover.before;
  const Facts& after = *handover.after;
  const auto differs = [](std::string_view what) {
    return violated("I42", std::string(what) + " as before", "different");
  };
  // They come back device by device, and the guest may have enabled them in another order.
  if (!std::ranges::is_permutation(before.irqfds, after.irqfds)) return differs("irqfds");
  if (before.environment != after.environment) return differs("environment");
  if (before.blockers != after.blockers) return differs("blockers");
  if (before.participants != after.participants) return differs("participants");
  if (handover.outcome.roll_back != handover::RollBack::complete &&
      handover.outcome.roll_back != handover::RollBack::not_needed)
    return violated("I43", "a complete roll-back", "roll-back " + number(static_cast<int>(handover.outcome.roll_back)));
  return {};
}

Verdict the_guest_resumes_last(const Handover& handover) {
  if (!handover.kept() || handover.rig.old_owner()->vcpus.runs().size() < 2) return {};
  const std::uint64_t resumed = handover.rig.old_owner()->vcpus.runs().back().from;
  const std::string wanted = "everything is back before the guest resumes at " + number(resumed);
  Verdict verdict;
  for (const Asked& each : handover.witness.asked()) {
    if (each.number >= resumed && each.request == os::abi::request::kvm_irqfd)
      verdict = violated("I44", wanted, "an irqfd at " + number(each.number));
  }
  machine::Truth(handover.rig.machine()).iova_changes().for_each([&](const machine::IovaChange& each) {
    if (each.call_number >= resumed && each.kind == machine::IovaChangeKind::vaddr_updated)
      verdict = violated("I44", wanted, "a vaddr at " + number(each.call_number));
  });
  return verdict;
}

Verdict old_only_closes_after_done(const Handover& handover) {
  const Owner* old = handover.rig.old_owner();
  const Owner* taker = handover.rig.new_owner();
  if (!handover.given() || old->process.pid() == taker->process.pid() || taker->vcpus.runs().empty()) return {};
  const std::uint64_t from = taker->vcpus.runs().front().from;
  for (const Asked& each : handover.witness.asked()) {
    if (each.pid == old->process.pid() && each.number > from && each.call == machine::Call::ioctl)
      return violated("I46", "old only closes after call " + number(from), "ioctl " + number(each.request));
  }
  return {};
}

}  // namespace vcpr::whole_vm
