// The processes: what their descriptors are like, what they watch, and what they were told.
#include <algorithm>

#include "engine/os/abi.hpp"
#include "engine/os/abi/kvm.hpp"
#include "properties/whole_vm/verdicts.hpp"

namespace vcpr::whole_vm {

namespace {

namespace request = os::abi::request;

/// How often the new process asked for it with success before its guest ran.
std::uint64_t times_restored(const Handover& handover, std::uint64_t request) {
  const Owner& taker = *handover.rig.new_owner();
  return static_cast<std::uint64_t>(std::ranges::count_if(handover.witness.asked(), [&](const Asked& each) {
    return each.request == request && each.succeeded && each.pid == taker.process.pid() &&
           each.image == taker.process.image() && each.number < taker.vcpus.runs().front().from;
  }));
}

/// A container's O_NONBLOCK is nobody's: who matches containers flips it for two calls, and cannot put it back when it
/// dies there. No container looks at it.
int status_flags(const Handover& handover, const std::string& name, int flags) {
  const Owner* taker = handover.rig.new_owner();
  const bool died = taker != nullptr && !taker->process.alive();
  return died && name == "vfio_container_for_group" ? flags & ~os::abi::o_nonblock : flags;
}

}  // namespace

Verdict descriptors_keep_their_flags(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (const auto& [key, now] : handover.after->table) {
    const auto found = handover.before.table.find(key);
    if (found == handover.before.table.end()) continue;
    const machine::FileFact& before = found->second.file;
    if (now.file.close_on_exec != before.close_on_exec)
      return violated("I6", key.first + " closed on exec: " + number(before.close_on_exec),
                      number(now.file.close_on_exec));
    if (status_flags(handover, key.first, now.file.status_flags) !=
        status_flags(handover, key.first, before.status_flags))
      return violated("I7", key.first + " with status flags " + number(before.status_flags),
                      number(now.file.status_flags));
    if (now.file.offset != before.offset)
      return violated("I7", key.first + " at offset " + number(before.offset), number(now.file.offset));
  }
  return {};
}

Verdict everything_that_came_is_claimed(const Handover& handover) {
  if (!handover.given()) return {};
  const auto claimed = handover.rig.owner()->vm->life().cpr.descriptors.check_all_claimed();
  if (claimed) return {};
  return violated("I9", "an object for every entry that came", claimed.error().message());
}

Verdict the_owner_watches_the_same(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (const auto& [key, now] : handover.after->table) {
    const auto found = handover.before.table.find(key);
    if (found != handover.before.table.end() && found->second.is_watched != now.is_watched)
      return violated("I42", key.first + " watched: " + number(found->second.is_watched), number(now.is_watched));
  }
  return {};
}

Verdict pending_bits_stay(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (std::size_t i = 0; i < handover.before.pending.size(); ++i) {
    for (std::size_t at = 0; at < handover.before.pending[i].size(); ++at) {
      const std::byte lost = handover.before.pending[i][at] & ~handover.after->pending[i][at];
      if (lost != std::byte{})
        return violated("I29", "what was pending in device " + number(i) + " still is",
                        "not bits " + number(std::to_integer<int>(lost)) + " of byte " + number(at));
    }
  }
  return {};
}

Verdict everything_is_restored_once(const Handover& handover) {
  if (handover.disturbed || !handover.given() || !handover.rig.shape().kvm) return {};
  if (handover.rig.owner()->vcpus.runs().empty()) return {};
  constexpr std::uint64_t kChips = 3;  // two PICs, the IOAPIC
  const struct {
    std::uint64_t request;
    std::uint64_t times;
  } kWanted[] = {{request::kvm_set_lapic, 1},
                 {request::kvm_set_irqchip, kChips},
                 {request::kvm_irqfd, handover.before.irqfds.size()}};
  for (const auto& each : kWanted) {
    if (const auto times = times_restored(handover, each.request); times != each.times)
      return violated("I40", "request " + number(each.request) + " " + number(each.times) + " times", number(times));
  }
  return {};
}

Verdict everybody_is_told_once(const Handover& handover) {
  const Owner* old = handover.rig.old_owner();
  const Bystander& told = old->bystander;
  // An image that execve has replaced, or that was killed, is told no more.
  if (handover.outcome.ended && old->process.alive() && old->vm &&
      told.times_let_go() != told.times_taken_back() + told.times_done())
    return violated("I47", "an end for each of " + number(told.times_let_go()) + " times it let go",
                    number(told.times_done()) + " times done, taken back " + number(told.times_taken_back()));
  if (!handover.given()) return {};
  const auto taken_over = handover.rig.owner()->bystander.times_taken_over();
  return taken_over == 1 ? Verdict() : violated("I47", "new takes over once", number(taken_over) + " times");
}

}  // namespace vcpr::whole_vm
