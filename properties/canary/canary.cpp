// Proves nothing: fails at any table of two entries, and dies at any VM with two devices, so that what a failing
// property leaves behind can be seen.
#include "properties/counterexample.hpp"
#include "properties/generators.hpp"
#include "properties/vm_generators.hpp"

namespace vcpr::properties {
namespace {

RC_GTEST_PROP(Canary, NoTableHasTwoEntries, ()) {
  const scenario::Scenario scenario = *sound_scenario();
  const Played played(scenario);
  RC_ASSERT(scenario.entries.size() < 2u);
}

struct DieOfTwoDevices : Run<vm_scenario::Scenario> {
  vm_scenario::Outcome operator()(const vm_scenario::Scenario& scenario) const {
    if (scenario.devices.size() > 1) std::abort();
    return {};
  }
};

RC_GTEST_PROP(Canary, NoVmHasTwoDevices, ()) {
  const vm_scenario::Scenario scenario = *any_vm_scenario();
  const Played<vm_scenario::Scenario, DieOfTwoDevices> played(scenario);
}

}  // namespace
}  // namespace vcpr::properties
