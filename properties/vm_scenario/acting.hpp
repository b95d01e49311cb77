// What each action of a scenario does to the rig.
#pragma once

#include "properties/vm_scenario/scenario.hpp"
#include "properties/whole_vm/trial.hpp"

namespace vcpr::vm_scenario {

/// Where an action happens: between handovers, or in the midst of a trial, before a call.
struct Stage {
  whole_vm::Rig& rig;
  whole_vm::Trial* trial = nullptr;  ///< null between handovers
};

/// Faults are the rig's own and handovers the player's: both do nothing here.
void act(const Stage& stage, Action action, std::uint32_t operand);
/// Whether an attempt may fail because of it. What devices do, and when the guest takes it, never is a reason.
bool disturbs(Action action);
/// Whether the VM may be lost by it.
bool harms(Action action);

}  // namespace vcpr::vm_scenario
