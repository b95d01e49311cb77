// Proves that bytes, text and model are one thing, and that every change of a scenario is a scenario.
#include <algorithm>

#include "properties/generators.hpp"

namespace vcpr::properties {
namespace {

using namespace scenario;

bool is_normal(const Scenario& scenario) {
  Scenario normal = scenario;
  normalise(normal);
  return normal == scenario;
}

RC_GTEST_PROP(ScenarioForms, EveryByteStringDecodesToANormalScenario, (const std::vector<std::uint8_t>& bytes)) {
  RC_ASSERT(is_normal(decode(bytes)));
}

RC_GTEST_PROP(ScenarioForms, BytesAndTextLeadBackToTheScenario, ()) {
  Scenario scenario = *any_scenario();
  RC_ASSERT(decode(encode(scenario)) == scenario);
  auto parsed = parse(print(scenario));
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == scenario);
  RC_ASSERT(print(*parsed) == print(scenario));
}

RC_GTEST_PROP(ScenarioForms, AnyTextIsParsedOrRefusedWithALine, (const std::string& junk)) {
  Scenario scenario = *any_scenario();
  std::string text = print(scenario);
  std::size_t at = *rc::gen::inRange<std::size_t>(0, text.size());
  text.replace(at, std::min<std::size_t>(junk.size(), text.size() - at), junk);
  auto parsed = parse(text);
  auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  bool right = parsed ? is_normal(*parsed) : !parsed.error().reason.empty() && parsed.error().line <= lines;
  RC_ASSERT(right);
}

RC_GTEST_PROP(ScenarioForms, MutantsAndChildrenAreNormalAndRepeatable, (std::uint32_t seed)) {
  Scenario left = *any_scenario();
  Scenario right = *any_scenario();
  Scenario mutant = left, again = left;
  mutate(mutant, seed);
  mutate(again, seed);
  RC_ASSERT(is_normal(mutant));
  RC_ASSERT(mutant == again);
  RC_ASSERT(is_normal(cross_over(left, right, seed)));
}

RC_GTEST_PROP(ScenarioForms, EveryWayOfShrinkingDescends, ()) {
  Scenario scenario = *any_scenario();
  for (const Scenario& candidate : shrink_candidates(scenario)) {
    RC_ASSERT(weight(candidate) < weight(scenario));
    RC_ASSERT(is_normal(candidate));
  }
}

}  // namespace
}  // namespace vcpr::properties
