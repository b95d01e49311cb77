// Proves that a handover of any table ends with every invariant holding: fault-free it succeeds, disturbed it succeeds
// or fails cleanly, and after a failure the next attempt works.
#include "properties/counterexample.hpp"
#include "properties/generators.hpp"

namespace vcpr::properties {
namespace {

using namespace scenario;

RC_GTEST_PROP(Handover, OfAnySoundTableSucceedsEveryTime, ()) {
  Scenario scenario = *sound_scenario();
  const Played outcome(scenario);
  RC_CLASSIFY(scenario.entries.size() > 16);
  RC_ASSERT(outcome->endings == std::vector<std::string>(scenario.handovers, "done"));
}

RC_GTEST_PROP(Handover, WithAnySingleFaultSucceedsOrFailsCleanly, ()) {
  Scenario scenario = *sound_scenario();
  scenario.events = {*any_fault()};
  normalise(scenario);
  const Played outcome(scenario);
  RC_CLASSIFY(outcome->endings.front() != "done");
}

RC_GTEST_PROP(Handover, WithASingleDeathSucceedsOrFailsCleanly, ()) {
  Scenario scenario = *sound_scenario();
  scenario.events = {*event_of({Action::kill_old, Action::kill_new})};
  normalise(scenario);
  const Played outcome(scenario);
  RC_CLASSIFY(outcome->endings.front() != "done");
}

RC_GTEST_PROP(Handover, WorksAfterAnAttemptThatFailed, ()) {
  Scenario scenario = *sound_scenario();
  RC_PRE(scenario.mode != Mode::exec);
  scenario.handovers = 2;
  scenario.events = {*rc::gen::oneOf(
      any_fault(),
      event_of({Action::kill_new, Action::cancel_old, Action::cancel_new, Action::half_close, Action::add_entry,
                Action::drop_entry, Action::advance, Action::step_other, Action::freeze_old, Action::freeze_new}))};
  normalise(scenario);
  const Played outcome(scenario);
  RC_CLASSIFY(outcome->endings.front() != "done");
  RC_ASSERT(outcome->endings.size() == 2u);
  RC_ASSERT(outcome->endings.back() == "done");
}

RC_GTEST_PROP(Handover, WhateverHappensKeepsTheInvariants, ()) {
  const Scenario scenario = *any_scenario();
  const Played outcome(scenario);
  RC_CLASSIFY(!outcome->endings.empty() && outcome->endings.back() == "done");
}

RC_GTEST_PROP(Handover, DependsOnTheScenarioAlone, ()) {
  Scenario scenario = *any_scenario();
  const Played first(scenario);
  Line line = [](std::string_view) {};
  Outcome second = run(scenario, &line);
  RC_ASSERT(first->hash == second.hash);
  RC_ASSERT(first->calls == second.calls);
  RC_ASSERT(first->endings == second.endings);
}

}  // namespace
}  // namespace vcpr::properties
