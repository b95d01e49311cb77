// What must hold of a VM that is handed over: one named function per invariant, each a pure function of what was seen
// before and after one attempt, and of the machine's log of what happened between. properties/invariants has those of
// the CPR state.
#pragma once

#include <span>
#include <string_view>

#include "properties/invariants/invariants.hpp"
#include "properties/whole_vm/facts.hpp"
#include "properties/whole_vm/witness.hpp"

namespace vcpr::whole_vm {

using invariants::Verdict;
using invariants::Violation;

/// One attempt, when it is over and everything has settled.
struct Handover {
  Rig& rig;
  const Attempt& attempt;
  const Outcome& outcome;
  const Witness& witness;
  const Facts& before;               ///< of the old owner, at the beginning
  const Facts* after;                ///< of the owner now; null: nobody has the VM
  const std::vector<Line>& settled;  ///< the guest's lines when all was quiet, before they are raised once more
  bool disturbed = false;            ///< then the VM may end on either side
  bool may_be_lost = false;          ///< by a fault or a death
  bool damaged = false;              ///< what was on its way is not what arrived
  bool changed = false;              ///< by the guest or the management, while the attempt was under way
  bool replugged = false;            ///< a device came or went meanwhile, while the new process may have held its files

  bool given() const { return after != nullptr && rig.owner() == rig.new_owner(); }
  bool kept() const { return after != nullptr && rig.owner() == rig.old_owner(); }
  /// The VM was written to a file, and a new process, which may have died, opened its devices anew.
  bool rebooted() const { return !kept() && attempt.mode == lifecycle::Mode::cpr_reboot; }
};

Verdict an_undisturbed_attempt_succeeds(const Handover& handover);        // S5
Verdict what_cannot_be_handed_over_is_refused(const Handover& handover);  // S6
Verdict somebody_owns_the_vm(const Handover& handover);                   // S4
Verdict nothing_is_closed_twice_or_left(const Handover& handover);        // I3, I4
Verdict keys_lead_to_the_same_files(const Handover& handover);            // I1, I2, I5, I7
Verdict descriptors_keep_their_flags(const Handover& handover);           // I6, I7
Verdict everything_that_came_is_claimed(const Handover& handover);        // I9
Verdict the_owner_watches_the_same(const Handover& handover);             // I42, W17
Verdict wired_eventfds_are_in_the_table(const Handover& handover);        // I8
Verdict groups_stay_in_their_containers(const Handover& handover);        // I10
Verdict mappings_stay(const Handover& handover);                          // I11, I19
Verdict dma_reaches_the_same_pages(const Handover& handover);             // I11, W21
Verdict vaddrs_are_the_owners(const Handover& handover);                  // I12
Verdict each_vaddr_is_moved_once(const Handover& handover);               // I13, I15
Verdict vaddrs_are_invalid_only_while_stopped(const Handover& handover);  // I14
Verdict memory_is_charged_to_the_owner(const Handover& handover);         // I16, I21
Verdict iommufd_ids_stay(const Handover& handover);                       // I17, I18
Verdict each_page_table_has_a_device(const Handover& handover);           // I18
Verdict ownership_moves_once_and_late(const Handover& handover);          // I20
Verdict every_raise_is_handled(const Handover& handover);                 // I22, I23
Verdict no_line_is_stuck(const Handover& handover);                       // I24
Verdict an_eventfd_has_one_irqfd(const Handover& handover);               // I25
Verdict old_has_no_irqfd_left(const Handover& handover);                  // I26
Verdict irqfds_come_last(const Handover& handover);                       // I27
Verdict triggers_stay(const Handover& handover);                          // I28
Verdict pending_bits_stay(const Handover& handover);                      // I29
Verdict the_guest_sees_the_same_device(const Handover& handover);         // I30, I32
Verdict no_device_is_reset(const Handover& handover);                     // I33
Verdict memory_keeps_its_contents(const Handover& handover);              // I34
Verdict one_guest_runs(const Handover& handover);                         // I35
Verdict the_run_state_crosses_over(const Handover& handover);             // I36, I37
Verdict everything_is_restored_once(const Handover& handover);            // I40
Verdict a_failed_attempt_changes_nothing(const Handover& handover);       // I42, I43
Verdict the_guest_resumes_last(const Handover& handover);                 // I44, I45
Verdict old_only_closes_after_done(const Handover& handover);             // I46
Verdict everybody_is_told_once(const Handover& handover);                 // I47

/// Which VMs that were given away must have it; one that was kept must have everything.
enum class Holds : std::uint8_t {
  always,
  unless_damaged,      ///< a byte or descriptor that nobody can tell from another may have been changed
  while_devices_stay,  ///< nor after a reboot, which opens them anew; nor when one came or went meanwhile
};

struct Invariant {
  std::string_view numbers;  ///< "I10"
  Holds holds{};
  std::string_view name;
  Verdict (*check)(const Handover& handover);
  /// Aborts in a function named after it, so that crash grouping tells them apart.
  void (*report)(const Violation& violation);
};
/// All of them, in the order above.
std::span<const Invariant> invariants();
/// One of this room's: says what disagrees and aborts in the function of its invariant.
[[noreturn]] void report(const Violation& violation);
/// Every violation.
std::vector<Violation> check(const Handover& handover);

}  // namespace vcpr::whole_vm
