// What every room of one VM shares: its process, its table, its sections, who takes part and what forbids it.
#pragma once

#include "engine/lifecycle/blockers.hpp"
#include "engine/lifecycle/embedder.hpp"
#include "engine/lifecycle/mode.hpp"
#include "engine/lifecycle/participants.hpp"
#include "engine/lifecycle/run_state.hpp"
#include "engine/os/kernel.hpp"
#include "engine/store/cpr_state.hpp"
#include "engine/vmstate/section_table.hpp"

namespace vcpr::lifecycle {

/// Kernel, vCPUs and loop must outlive it. Two VMs in one process have two of these and nothing else in common.
struct Life {
  os::Kernel& kernel;
  Vcpus& vcpus;
  EventLoop& loop;
  /// What an old process left and objects claim, or what this one's objects save.
  store::CprState cpr{};
  Incoming incoming = Incoming::none;
  RunState run_state = RunState::prelaunch;
  bool was_suspended = false;  ///< the guest slept when it was paused
  vmstate::SectionTable sections{};
  Participants participants{};
  Blockers blockers{};
  bool is_incoming() const { return incoming != Incoming::none; }
  /// bad_state when the VM was given away, is stopped for a handover, or is not here yet: nothing may touch its devices
  /// (windows W3, W9, W19). `what`: "reset of device 0000:00:05.0".
  Expected<void> check_ours(std::string_view what) const;
};

}  // namespace vcpr::lifecycle
