// What a handover does to a VM as a whole: stop, resume here, give away, arrive.
#include <algorithm>
#include <array>
#include <utility>

#include "engine/vm/virtual_machine.hpp"

namespace vcpr::vm {

using lifecycle::RunState;

vmstate::Configuration VirtualMachine::configuration() const {
  vmstate::Configuration ours;
  ours.machine = config_.machine;
  return ours;
}

Expected<void> VirtualMachine::stop() {
  if (before_stop_) return {};
  if (Expected<void> ours = life_.check_ours("handover"); !ours) return ours;
  before_stop_ = life_.run_state;
  global_state_ = vmstate::GlobalState::of(name(life_.run_state));
  global_state_.has_vm_was_suspended = global_state_.vm_was_suspended = was_suspended_;
  life_.run_state = RunState::finish_migrate;
  return life_.vcpus.pause();
}

Expected<void> VirtualMachine::resume_here() {
  if (!before_stop_) return {};
  if (Expected<void> runs = run(*before_stop_); !runs) return runs;
  before_stop_.reset();
  return {};
}

void VirtualMachine::stay_paused() {
  if (!before_stop_) return;
  was_suspended_ = was_suspended_ || *before_stop_ == RunState::suspended;
  before_stop_.reset();
  life_.run_state = RunState::paused;
}

void VirtualMachine::give_away() {
  before_stop_.reset();
  life_.run_state = RunState::postmigrate;
  if (kvm_) kvm_->close();
}

Expected<void> VirtualMachine::check_arrived() const {
  auto state = lifecycle::run_state_named(global_state_.text());
  constexpr std::array kBetween = {RunState::inmigrate, RunState::finish_migrate, RunState::postmigrate};
  if (state && std::ranges::find(kBetween, *state) == kBetween.end()) return {};
  return refuse(ErrorCode::bad_value, {"globalstate: no VM takes up the run state ", quoted(global_state_.text())});
}

Expected<void> VirtualMachine::arrive() {
  if (Expected<void> known = check_arrived(); !known) return known;
  RunState state = *lifecycle::run_state_named(global_state_.text());
  was_suspended_ = global_state_.vm_was_suspended && !is_live(state);
  life_.incoming = lifecycle::Incoming::none;
  life_.run_state = RunState::paused;
  return run(state);
}

}  // namespace vcpr::vm
