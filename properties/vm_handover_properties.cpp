// Proves that whole VMs keep every invariant, whatever happens while they are handed over.
#include <algorithm>

#include "properties/counterexample.hpp"
#include "properties/vm_generators.hpp"
#include "properties/vm_scenario/acting.hpp"
#include "properties/vm_scenario/focus.hpp"

namespace vcpr::properties {
namespace {

using vm_scenario::Action;
using vm_scenario::Ending;
using vm_scenario::Focus;
using vm_scenario::Scenario;

/// Tells ci/bench how many handovers all properties have made so far, however those ended.
struct CountedRun : Run<Scenario> {
  vm_scenario::Outcome operator()(const Scenario& scenario) const {
    static std::size_t made = 0;
    vm_scenario::Outcome outcome = run(scenario);
    testing::Test::RecordProperty("handovers", std::to_string(made += outcome.endings.size()));
    return outcome;
  }
};
using PlayedVm = Played<Scenario, CountedRun>;

/// Bytes that were changed on their way may say anything that a VM can be.
bool is_damaged(const Scenario& scenario) {
  return std::ranges::any_of(scenario.steps, [](const auto& step) { return step.action == Action::damage; });
}

RC_GTEST_PROP(WholeVms, KeepEveryInvariantWhateverHappens, ()) {
  const Scenario scenario = *any_vm_scenario();
  const PlayedVm played(scenario);
}

RC_GTEST_PROP(WholeVms, AreHandedOverAgainAndAgainWhenNothingDisturbs, ()) {
  Scenario scenario = *quiet_vm_scenario();
  scenario.without = 0;
  vm_scenario::narrow(scenario, Focus::chain);
  std::erase_if(scenario.steps, [](const auto& step) { return step.action == Action::reboot; });
  const PlayedVm played(scenario);
  for (const Ending ending : played->endings) RC_ASSERT(ending == Ending::given);
}

RC_GTEST_PROP(WholeVms, AreThereForAnotherAttemptAfterOneThatFailed, ()) {
  Scenario scenario = *any_vm_scenario();
  vm_scenario::narrow(scenario, Focus::rollback);
  const PlayedVm played(scenario);
}

RC_GTEST_PROP(WholeVms, LoseNoInterruptWheneverItComes, ()) {
  Scenario scenario = *any_vm_scenario();
  vm_scenario::narrow(scenario, Focus::interrupts);
  const PlayedVm played(scenario);
}

RC_GTEST_PROP(WholeVms, DependOnTheScenarioAlone, ()) {
  const Scenario scenario = *any_vm_scenario();
  const PlayedVm first(scenario);
  const vm_scenario::Outcome second = CountedRun()(scenario);
  RC_ASSERT(first->hash == second.hash);
  RC_ASSERT(first->endings == second.endings);
}

RC_GTEST_PROP(WholeVms, AreRunByOneProcessOrLostWithTheOneThatWasKilled, ()) {
  const Scenario scenario = *any_vm_scenario();
  const auto may_lose = [](const auto& step) {
    return step.action == Action::kill_old || step.action == Action::kill_new || step.action == Action::fault ||
           step.action == Action::cancel_new || step.action == Action::advance;
  };
  if (is_damaged(scenario) || std::ranges::any_of(scenario.steps, may_lose)) return;
  const PlayedVm played(scenario);
  for (const Ending ending : played->endings) RC_ASSERT(ending != Ending::lost);
}

}  // namespace
}  // namespace vcpr::properties
