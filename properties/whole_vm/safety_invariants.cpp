// After each call: what it did, and whether it may.
#include <algorithm>
#include <array>
#include <utility>

#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/os/abi/vfio.hpp"
#include "properties/machine/kvm/limits.hpp"
#include "properties/whole_vm/watch.hpp"

namespace vcpr::whole_vm {

namespace {

namespace request = os::abi::request;
using machine::IovaChange;
using machine::IovaChangeKind;

/// "at call 12".
std::string where(const Step& step) {
  return " at call " + number(step.call.site.number);
}

/// By its caller's will, or as what a message brought and had no room. What goes with a file's last descriptor is I2's.
bool closes(const Step& step) {
  return step.call.site.call == machine::Call::close || step.call.site.call == machine::Call::recvmsg;
}

/// The first change of an I/O address space that this call made and `is_wrong` says so of.
template <class Wrong>
std::optional<IovaChange> find_change(const Step& step, Wrong is_wrong) {
  std::optional<IovaChange> found;
  if (closes(step)) return found;
  step.truth().iova_changes().for_each_after(step.since.iova_changes, [&](const IovaChange& each) {
    if (!found && step.is_its(each.call_number) && is_wrong(each)) found = each;
  });
  return found;
}

}  // namespace

Verdict only_one_guest_is_running(const Step& step) {
  if (step.rig.old_owner() == step.rig.new_owner()) return {};
  if (!runs(step.rig.old_owner()) || !runs(step.rig.new_owner())) return {};
  return violated("I35", "one guest", "two" + where(step));
}

Verdict every_descriptor_that_is_used_is_open(const Step& step) {
  Verdict verdict;
  step.truth().bad_descriptors().for_each_after(step.since.bad_descriptors, [&](const machine::BadDescriptor& each) {
    if (step.is_its(each.call_number))
      verdict = violated("I3", "descriptor " + number(each.number) + " is open", "it is not" + where(step));
  });
  return verdict;
}

Verdict somebody_holds_every_file(const Step& step) {
  const Owner* taker = step.rig.new_owner();
  const bool is_next_image = taker != nullptr && &taker->process == &step.rig.old_owner()->process;
  // One that cannot load takes all along when nobody else has it: an image, or the peer of a process that was killed.
  const bool is_last =
      is_next_image || (!step.rig.old_owner()->process.alive() && taker != nullptr && !taker->has_vm());
  if (is_last || step.is_lost()) return {};
  Verdict verdict;
  step.truth().closings().for_each_after(step.since.closings, [&](const machine::Closing& each) {
    if (!step.is_its(each.call_number)) return;
    for (const auto& [key, fact] : step.before.table) {
      if (fact.file.description == each.description)
        verdict = violated("I2", "somebody holds " + key.first, "its last descriptor is closed" + where(step));
    }
  });
  return verdict;
}

Verdict nothing_is_mapped_while_stopped(const Step& step) {
  const Owner* caller = step.caller();
  if (caller == nullptr || caller->has_vm() || step.is_lost()) return {};
  const auto bad = find_change(step, [](const IovaChange& each) {
    return each.kind == IovaChangeKind::mapped || each.kind == IovaChangeKind::unmapped;
  });
  if (!bad) return {};
  return violated("I11", "only who has the VM maps or unmaps", "iova " + number(bad->iova) + where(step));
}

Verdict no_guest_runs_on_invalid_vaddrs(const Step& step) {
  if (!runs(step.rig.old_owner()) && !runs(step.rig.new_owner())) return {};
  if (!step.truth().has_invalid_vaddrs()) return {};
  return violated("I14", "no guest runs while a vaddr is invalid", "one does" + where(step));
}

Verdict no_page_is_charged_twice(const Step& step) {
  const machine::Process& old = step.rig.old_owner()->process;
  std::uint64_t locked = old.locked_pages();
  if (const Owner* taker = step.rig.new_owner(); taker != nullptr && &taker->process != &old)
    locked += taker->process.locked_pages();
  if (locked <= step.before.locked_pages) return {};
  return violated("I16", number(step.before.locked_pages) + " locked pages", number(locked) + where(step));
}

Verdict ownership_moves_while_stopped(const Step& step) {
  if (!runs(step.rig.old_owner()) && !runs(step.rig.new_owner())) return {};
  const auto moved =
      find_change(step, [](const IovaChange& each) { return each.kind == IovaChangeKind::owner_changed; });
  if (!moved) return {};
  return violated("I20", "memory changes hands while no guest runs", "iova " + number(moved->iova) + where(step));
}

Verdict nothing_is_built_or_torn_down(const Step& step) {
  if (step.call.error != os::Errno::none || !is_building(step.call.arguments[1])) return {};
  return violated("I10", "nothing is built or torn down", "request " + number(step.call.arguments[1]) + where(step));
}

Verdict no_eventfd_has_two_irqfds(const Step& step) {
  if (step.truth().irqfds_too_many() == 0) return {};
  return violated("I25", "one irqfd of each eventfd", "two of one" + where(step));
}

Verdict irqfds_are_where_the_guest_is(const Step& step) {
  const Owner* old = step.rig.old_owner();
  const Owner* taker = step.rig.new_owner();
  if (taker == nullptr || &taker->process == &old->process) return {};
  const bool old_has = step.truth().has_irqfds(old->process);
  const bool new_has = step.truth().has_irqfds(taker->process);
  if (old_has && new_has) return violated("I26", "one process has irqfds", "both" + where(step));
  if (old_has && runs(taker)) return violated("I26", "old has no irqfd once new runs", "it has" + where(step));
  if (new_has && runs(old)) return violated("I45", "new has no irqfd while old runs", "it has" + where(step));
  return {};
}

Verdict controllers_are_set_before_irqfds(const Step& step) {
  // Not routes: who gives up takes irqfd and route of one vector after the other away.
  constexpr std::array kFirst = {request::kvm_set_lapic, request::kvm_set_irqchip};
  if (std::ranges::find(kFirst, step.call.arguments[1]) == kFirst.end() || !step.is_by_new()) return {};
  const Owner* taker = step.rig.new_owner();
  if (runs(taker) || !step.truth().has_irqfds(taker->process)) return {};
  return violated("I27", "controllers before the first irqfd",
                  "request " + number(step.call.arguments[1]) + where(step));
}

Verdict signals_meet_their_route(const Step& step) {
  Verdict verdict;
  step.truth().injections().for_each_after(step.since.injections, [&](const machine::Injection& each) {
    const bool is_ignored = each.eventfd != 0 && each.result < 0 && each.gsi >= machine::kIoapicPins;
    if (is_ignored)
      verdict = violated("I22", "the signal of eventfd " + number(each.eventfd) + " is taken",
                         "GSI " + number(each.gsi) + " leads nowhere" + where(step));
  });
  return verdict;
}

Verdict no_masked_vector_is_delivered(const Step& step) {
  Verdict verdict;
  step.truth().deliveries().for_each_after(step.since.deliveries, [&](const machine::Delivery& each) {
    if (!each.is_new) return;
    for (const Line& line : step.rig.guest().lines()) {
      if (line.cpu_vector == each.vector && line.is_masked)
        verdict = violated("I31", "vector " + number(line.vector) + " of device " + number(line.device) + " is masked",
                           "delivered" + where(step));
    }
  });
  return verdict;
}

Verdict no_trigger_changes(const Step& step) {
  if (!step.is_request(request::vfio_device_set_irqs) || step.is_lost()) return {};
  if (step.truth().triggers() == step.before.triggers) return {};
  return violated("I28", "every trigger as before", "others" + where(step));
}

Verdict no_device_is_touched(const Step& step) {
  if (step.is_request(request::vfio_device_reset)) return violated("I33", "no reset", "one" + where(step));
  if (closes(step) || step.is_lost()) return {};
  Verdict verdict;
  step.truth().device_changes().for_each_after(step.since.device_changes, [&](const machine::DeviceChange& each) {
    if (step.is_its(each.call_number) && step.rig.is_plugged(each.device)) verdict = touched(each);
  });
  return verdict;
}

Verdict nobody_runs_while_incoming(const Step& step) {
  const Owner* taker = step.rig.new_owner();
  if (!runs(taker) || !taker->vm || !taker->vm->life().is_incoming()) return {};
  return violated("I37", "incoming has ended when the guest runs", "it has not" + where(step));
}

Verdict nothing_happens_before_the_checks(const Step& step) {
  const auto target = step.rig.target_step();
  if (!step.is_by_new() || !target || *target >= handover::TargetStep::taking_over) return {};
  constexpr std::array kEffects = {request::kvm_set_lapic, request::kvm_set_irqchip, request::kvm_irqfd};
  for (const std::uint64_t each : kEffects) {
    if (step.is_request(each))
      return violated("I41", "the load is checked first", "request " + number(each) + where(step));
  }
  if (const auto moved = find_change(step, [](const IovaChange&) { return true; }))
    return violated("I41", "the load is checked first", "iova " + number(moved->iova) + " changed" + where(step));
  return {};
}

Verdict who_gave_the_vm_away_only_closes(const Step& step) {
  const Owner* old = step.rig.old_owner();
  if (step.caller() != old || !old->vm || old->vm->life().run_state != lifecycle::RunState::postmigrate) return {};
  const auto file = static_cast<int>(step.call.arguments[0]);
  if (step.call.site.call != machine::Call::ioctl && !old->vm->life().cpr.descriptors.find_number(file)) return {};
  return violated("I46", "old only closes what was the VM's", machine::format(step.call));
}

}  // namespace vcpr::whole_vm
