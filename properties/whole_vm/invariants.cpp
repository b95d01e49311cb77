#include "properties/whole_vm/invariants.hpp"

#include <array>

#include "properties/invariants/report.hpp"
#include "properties/whole_vm/verdicts.hpp"
#include "properties/whole_vm/watch.hpp"

namespace vcpr::whole_vm {

// Numbers, what it presupposes, and the function.
#define VCPR_VM_INVARIANTS(X)                                         \
  X(S4, always, somebody_owns_the_vm)                                 \
  X(S5, always, an_undisturbed_attempt_succeeds)                      \
  X(S6, always, what_cannot_be_handed_over_is_refused)                \
  X(I3_I4, while_devices_stay, nothing_is_closed_twice_or_left)       \
  X(I1_I2_I5, while_devices_stay, keys_lead_to_the_same_files)        \
  X(I6_I7, while_devices_stay, descriptors_keep_their_flags)          \
  X(I9, while_devices_stay, everything_that_came_is_claimed)          \
  X(I42_W17, while_devices_stay, the_owner_watches_the_same)          \
  X(I8, while_devices_stay, wired_eventfds_are_in_the_table)          \
  X(I10_I17_I19, while_devices_stay, groups_stay_in_their_containers) \
  X(I11, while_devices_stay, mappings_stay)                           \
  X(I11, while_devices_stay, dma_reaches_the_same_pages)              \
  X(I12, while_devices_stay, vaddrs_are_the_owners)                   \
  X(I13_I15, while_devices_stay, each_vaddr_is_moved_once)            \
  X(I14, while_devices_stay, vaddrs_are_invalid_only_while_stopped)   \
  X(I16_I21, while_devices_stay, memory_is_charged_to_the_owner)      \
  X(I17_I18, while_devices_stay, iommufd_ids_stay)                    \
  X(I18, always, each_page_table_has_a_device)                        \
  X(I20, while_devices_stay, ownership_moves_once_and_late)           \
  X(I22_I23, unless_damaged, every_raise_is_handled)                  \
  X(I24, unless_damaged, no_line_is_stuck)                            \
  X(I25, always, an_eventfd_has_one_irqfd)                            \
  X(I26, while_devices_stay, old_has_no_irqfd_left)                   \
  X(I27, while_devices_stay, irqfds_come_last)                        \
  X(I28, while_devices_stay, triggers_stay)                           \
  X(I29, while_devices_stay, pending_bits_stay)                       \
  X(I30_I32, while_devices_stay, the_guest_sees_the_same_device)      \
  X(I33, while_devices_stay, no_device_is_reset)                      \
  X(I34, unless_damaged, memory_keeps_its_contents)                   \
  X(I35, always, one_guest_runs)                                      \
  X(I36_I37, unless_damaged, the_run_state_crosses_over)              \
  X(I40, while_devices_stay, everything_is_restored_once)             \
  X(I42_I43, unless_damaged, a_failed_attempt_changes_nothing)        \
  X(I44_I45, unless_damaged, the_guest_resumes_last)                  \
  X(I46, unless_damaged, old_only_closes_after_done)                  \
  X(I47, always, everybody_is_told_once)

#define VCPR_REPORT(numbers, holds, name) VCPR_INVARIANT_REPORT(numbers, name)
VCPR_VM_INVARIANTS(VCPR_REPORT)
#undef VCPR_REPORT

namespace {

#define VCPR_ROW(numbers, holds, name) Invariant{#numbers, Holds::holds, #name, name, invariant_##numbers##_##name},
constexpr std::array kInvariants{VCPR_VM_INVARIANTS(VCPR_ROW)};
#undef VCPR_ROW

}  // namespace

std::span<const Invariant> invariants() {
  return kInvariants;
}

namespace {

Verdict named(std::string_view name, Verdict verdict) {
  if (verdict) verdict->name = name;
  return verdict;
}

}  // namespace

std::vector<Violation> check(const Handover& handover) {
  std::vector<Violation> violations;
  for (const Invariant& each : kInvariants) {
    if (handover.given() && handover.damaged && each.holds != Holds::always) continue;
    if ((handover.rebooted() || handover.replugged) && each.holds == Holds::while_devices_stay) continue;
    if (Verdict verdict = named(each.name, each.check(handover))) violations.push_back(std::move(*verdict));
  }
  return violations;
}

void report(const Violation& violation) {
  for (const Invariant& each : kInvariants) {
    if (each.name == violation.name) each.report(violation);
  }
  for (const SafetyInvariant& each : safety_invariants()) {
    if (each.name == violation.name) each.report(violation);
  }
  invariants::report_unknown(violation);
}

}  // namespace vcpr::whole_vm
