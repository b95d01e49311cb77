// Typed generators for the model, and how a property plays a scenario.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "properties/scenario/run.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

/// RapidCheck prints a failing scenario as text: it finds this by the name.
void showValue(const Scenario& scenario, std::ostream& out);  // NOLINT(readability-identifier-naming)

}  // namespace vcpr::scenario

namespace vcpr::properties {

/// A scenario whose every entry and record a table accepts and a new process finds right, and that nothing disturbs.
rc::Gen<scenario::Scenario> sound_scenario();
/// Any: clashing keys, wrong kinds, odd claims, up to ten events.
rc::Gen<scenario::Scenario> any_scenario();
/// One event of the first attempt; `actions` to choose from.
rc::Gen<scenario::Event> event_of(std::vector<scenario::Action> actions);
/// A fault, anywhere an attempt is likely to be.
rc::Gen<scenario::Event> any_fault();

/// Where the scenario that is being played lies, so that an abort leaves a file: where VCPR_LAST_SCENARIO says, or
/// last_scenario.TEST.bin in the working directory.
std::string last_scenario_path();
void save_last(std::span<const std::uint8_t> bytes);
/// Runs it after saving it. A violation fails the property.
scenario::Outcome play(const scenario::Scenario& scenario);

}  // namespace vcpr::properties
