// Typed generators of CPR tables and what happens to them.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

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

}  // namespace vcpr::properties
