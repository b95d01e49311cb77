// Proves nothing: fails at any table of two entries, so that what a failing property leaves behind can be seen.
#include "properties/generators.hpp"

namespace vcpr::properties {
namespace {

RC_GTEST_PROP(Canary, NoTableHasTwoEntries, ()) {
  const scenario::Scenario scenario = *sound_scenario();
  play(scenario);
  RC_ASSERT(scenario.entries.size() < 2u);
}

}  // namespace
}  // namespace vcpr::properties
