// Proves of scenarios of whole VMs that bytes, text and model are one thing, and that every change of a scenario is
// one.
#include <algorithm>

#include "properties/vm_generators.hpp"

namespace vcpr::properties {
namespace {

using namespace vm_scenario;

bool is_normal(const Scenario& scenario) {
  Scenario normal = scenario;
  normalise(normal);
  return normal == scenario;
}

RC_GTEST_PROP(VmScenarioForms, EveryByteStringDecodesToANormalScenarioWithADevice, ()) {
  auto bytes = *rc::gen::resize(1200, rc::gen::arbitrary<std::vector<std::uint8_t>>());
  Scenario scenario = decode(bytes);
  RC_ASSERT(is_normal(scenario));
  RC_ASSERT(!scenario.devices.empty());
}

RC_GTEST_PROP(VmScenarioForms, TextBytesAndTextAgainAreTheSame, ()) {
  std::string text = print(*any_vm_scenario());
  auto parsed = parse(text);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(print(decode(encode(*parsed))) == text);
}

RC_GTEST_PROP(VmScenarioForms, BytesAndTextLeadBackToTheScenario, ()) {
  Scenario scenario = *any_vm_scenario();
  RC_ASSERT(decode(encode(scenario)) == scenario);
  auto parsed = parse(print(scenario));
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == scenario);
}

RC_GTEST_PROP(VmScenarioForms, ASecondNormalisationChangesNothing, (const std::vector<std::uint16_t>& calls)) {
  Scenario scenario = *any_vm_scenario();
  for (std::uint16_t call : calls) {
    auto place = static_cast<std::ptrdiff_t>(call % (scenario.steps.size() + 1));
    scenario.steps.insert(scenario.steps.begin() + place,
                          {.action = static_cast<Action>(call >> 8), .pinned = true, .times = 0, .call = call});
  }
  normalise(scenario);
  RC_ASSERT(is_normal(scenario));
}

RC_GTEST_PROP(VmScenarioForms, AnyTextIsParsedOrRefusedWithALine, (const std::string& junk)) {
  std::string text = print(*any_vm_scenario());
  std::size_t at = *rc::gen::inRange<std::size_t>(0, text.size());
  text.replace(at, std::min<std::size_t>(junk.size(), text.size() - at), junk);
  auto parsed = parse(text);
  bool right =
      parsed ? is_normal(*parsed) : parsed.error().starts_with("line ") && parsed.error().contains(": expected");
  RC_ASSERT(right);
}

RC_GTEST_PROP(VmScenarioForms, MutantsAndChildrenAreNormalAndRepeatable, (std::uint32_t seed)) {
  Scenario left = *any_vm_scenario();
  Scenario right = *quiet_vm_scenario();
  auto weights = *rc::gen::container<std::vector<std::uint8_t>>(kActions, rc::gen::arbitrary<std::uint8_t>());
  Scenario mutant = left, again = left;
  mutate(mutant, seed, weights);
  mutate(again, seed, weights);
  RC_ASSERT(is_normal(mutant));
  RC_ASSERT(mutant == again);
  Scenario child = cross_over(left, right, seed);
  RC_ASSERT(is_normal(child));
  RC_ASSERT(child == cross_over(left, right, seed));
}

RC_GTEST_PROP(VmScenarioForms, EveryWayOfShrinkingDescends, ()) {
  Scenario scenario = *any_vm_scenario();
  for (const Scenario& candidate : shrink_candidates(scenario)) {
    RC_ASSERT(weight(candidate) < weight(scenario));
    RC_ASSERT(is_normal(candidate));
  }
}

RC_GTEST_PROP(VmScenarioForms, NothingIsPinnedInAQuietOne, ()) {
  Scenario scenario = *quiet_vm_scenario();
  RC_ASSERT(std::ranges::none_of(scenario.steps, &Step::pinned));
}

}  // namespace
}  // namespace vcpr::properties
