// Proves that whole VMs keep every invariant, whatever happens while they are handed over.
#include <algorithm>

#include "properties/generators.hpp"
#include "properties/vm_generators.hpp"
#include "properties/vm_scenario/acting.hpp"
#include "properties/vm_scenario/focus.hpp"
#include "properties/vm_scenario/run.hpp"

namespace vcpr::properties {
namespace {

using vm_scenario::Action;
using vm_scenario::Ending;
using vm_scenario::Focus;
using vm_scenario::Scenario;

/// A violation fails the property; an abort leaves the file, which any target over scenarios of whole VMs takes.
vm_scenario::Outcome play_vm(const Scenario& scenario) {
  save_last(vm_scenario::encode(scenario));
  vm_scenario::Outcome outcome = vm_scenario::run(scenario);
  if (outcome.violation) RC_FAIL(invariants::text(*outcome.violation) + "\nsaved in " + last_scenario_path());
  return outcome;
}

/// Bytes that were changed on their way may say anything that a VM can be.
bool is_damaged(const Scenario& scenario) {
  return std::ranges::any_of(scenario.steps, [](const auto& step) { return step.action == Action::damage; });
}

RC_GTEST_PROP(WholeVms, KeepEveryInvariantWhateverHappens, ()) {
  (void)play_vm(*any_vm_scenario());
}

RC_GTEST_PROP(WholeVms, AreHandedOverAgainAndAgainWhenNothingDisturbs, ()) {
  Scenario scenario = *quiet_vm_scenario();
  scenario.without = 0;
  vm_scenario::narrow(scenario, Focus::chain);
  std::erase_if(scenario.steps, [](const auto& step) { return step.action == Action::reboot; });
  for (const Ending ending : play_vm(scenario).endings) RC_ASSERT(ending == Ending::given);
}

RC_GTEST_PROP(WholeVms, AreThereForAnotherAttemptAfterOneThatFailed, ()) {
  Scenario scenario = *any_vm_scenario();
  vm_scenario::narrow(scenario, Focus::rollback);
  (void)play_vm(scenario);
}

RC_GTEST_PROP(WholeVms, LoseNoInterruptWheneverItComes, ()) {
  Scenario scenario = *any_vm_scenario();
  vm_scenario::narrow(scenario, Focus::interrupts);
  (void)play_vm(scenario);
}

RC_GTEST_PROP(WholeVms, DependOnTheScenarioAlone, ()) {
  const Scenario scenario = *any_vm_scenario();
  const vm_scenario::Outcome first = play_vm(scenario);
  const vm_scenario::Outcome second = play_vm(scenario);
  RC_ASSERT(first.hash == second.hash);
  RC_ASSERT(first.endings == second.endings);
}

RC_GTEST_PROP(WholeVms, AreRunByOneProcessOrLostWithTheOneThatWasKilled, ()) {
  const Scenario scenario = *any_vm_scenario();
  const auto may_lose = [](const auto& step) {
    return step.action == Action::kill_old || step.action == Action::kill_new || step.action == Action::fault ||
           step.action == Action::cancel_new || step.action == Action::advance;
  };
  if (is_damaged(scenario) || std::ranges::any_of(scenario.steps, may_lose)) return;
  for (const Ending ending : play_vm(scenario).endings) RC_ASSERT(ending != Ending::lost);
}

}  // namespace
}  // namespace vcpr::properties
