// Typed generators for scenarios of whole VMs.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

/// RapidCheck prints a failing scenario as text: it finds this by the name.
void showValue(const Scenario& scenario, std::ostream& out);  // NOLINT(readability-identifier-naming)

}  // namespace vcpr::vm_scenario

namespace vcpr::properties {

// All of these are normal, and shrink as the model does: every candidate is a scenario that can be.

/// Any host, devices and steps, most with a handover early.
rc::Gen<vm_scenario::Scenario> any_vm_scenario();
/// The same, but nothing happens during a handover.
rc::Gen<vm_scenario::Scenario> quiet_vm_scenario();

/// A step pinned to the handover above it; `actions` to choose from.
rc::Gen<vm_scenario::Step> vm_event_of(std::vector<vm_scenario::Action> actions);
/// A fault, anywhere an attempt is likely to be.
rc::Gen<vm_scenario::Step> any_vm_fault();
/// Any action that can be pinned, half of them faults.
rc::Gen<vm_scenario::Step> any_vm_event();

}  // namespace vcpr::properties
