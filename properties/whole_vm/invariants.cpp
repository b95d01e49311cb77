#include "properties/whole_vm/invariants.hpp"

#include <array>

#include "properties/whole_vm/verdicts.hpp"

namespace vcpr::whole_vm {

namespace {

#define VCPR_INVARIANT(numbers, holds, function)    \
  Invariant {                                       \
    (numbers), Holds::holds, #function, &(function) \
  }

constexpr std::array kInvariants{
    VCPR_INVARIANT("S4", always, somebody_owns_the_vm),
    VCPR_INVARIANT("I3 I4", while_devices_stay, nothing_is_closed_twice_or_left),
    VCPR_INVARIANT("I1 I2 I5", while_devices_stay, keys_lead_to_the_same_files),
    VCPR_INVARIANT("I8", while_devices_stay, wired_eventfds_are_in_the_table),
    VCPR_INVARIANT("I10 I17 I19", while_devices_stay, groups_stay_in_their_containers),
    VCPR_INVARIANT("I11", while_devices_stay, mappings_stay),
    VCPR_INVARIANT("I11", while_devices_stay, dma_reaches_the_same_pages),
    VCPR_INVARIANT("I12", while_devices_stay, vaddrs_are_the_owners),
    VCPR_INVARIANT("I13 I15", while_devices_stay, each_vaddr_is_moved_once),
    VCPR_INVARIANT("I14", while_devices_stay, vaddrs_are_invalid_only_while_stopped),
    VCPR_INVARIANT("I16 I21", while_devices_stay, memory_is_charged_to_the_owner),
    VCPR_INVARIANT("I17 I18", while_devices_stay, iommufd_ids_stay),
    VCPR_INVARIANT("I20", while_devices_stay, ownership_moves_once_and_late),
    VCPR_INVARIANT("I22 I23", unless_damaged, every_raise_is_handled),
    VCPR_INVARIANT("I24", unless_damaged, no_line_is_stuck),
    VCPR_INVARIANT("I25", always, an_eventfd_has_one_irqfd),
    VCPR_INVARIANT("I26", while_devices_stay, old_has_no_irqfd_left),
    VCPR_INVARIANT("I27", while_devices_stay, irqfds_come_last),
    VCPR_INVARIANT("I28", while_devices_stay, triggers_stay),
    VCPR_INVARIANT("I29 I30 I32", while_devices_stay, the_guest_sees_the_same_device),
    VCPR_INVARIANT("I33", while_devices_stay, no_device_is_reset),
    VCPR_INVARIANT("I34", unless_damaged, memory_keeps_its_contents),
    VCPR_INVARIANT("I35", always, one_guest_runs),
    VCPR_INVARIANT("I36 I37", unless_damaged, the_run_state_crosses_over),
    VCPR_INVARIANT("I42 I43", unless_damaged, a_failed_attempt_changes_nothing),
    VCPR_INVARIANT("I44", unless_damaged, the_guest_resumes_last),
    VCPR_INVARIANT("I46", unless_damaged, old_only_closes_after_done),
};

#undef VCPR_INVARIANT

}  // namespace

std::span<const Invariant> invariants() {
  return kInvariants;
}

Verdict check_now(Rig& rig) {
  const Owner* old = rig.old_owner();
  const Owner* taker = rig.new_owner();
  if (old != nullptr && taker != nullptr && old != taker && old->vcpus.running() && taker->vcpus.running())
    return violated("I35", "one guest runs", "two, at call " + number(rig.machine().calls()));
  if (const auto bad = machine::Truth(rig.machine()).bad_closes(); bad != 0)
    return violated("I3", "each descriptor is closed once", number(bad) + " closes of none");
  return {};
}

std::vector<Violation> check(const Handover& handover) {
  std::vector<Violation> violations;
  for (const Invariant& each : kInvariants) {
    if (handover.given() && handover.damaged && each.holds != Holds::always) continue;
    if (handover.rebooted() && each.holds == Holds::while_devices_stay) continue;
    if (Verdict verdict = each.check(handover)) violations.push_back(std::move(*verdict));
  }
  return violations;
}

}  // namespace vcpr::whole_vm
