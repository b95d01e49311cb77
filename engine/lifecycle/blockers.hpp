// Why a VM cannot be handed over in a mode: a list of reasons, each with its owner.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/lifecycle/mode.hpp"
#include "engine/os/error.hpp"

namespace vcpr::lifecycle {

/// Names a blocker for its removal; 0 names none.
using BlockerId = std::uint32_t;

class Blockers {
 public:
  /// `reason` is the error that a refused attempt reports. bad_state while an attempt is under way: it could no longer
  /// be refused.
  Expected<BlockerId> add(Modes modes, Error reason);
  /// Sets `id` to 0. Nothing when it is 0.
  void remove(BlockerId& id);
  /// The reason that was added first and still stands; success when there is none.
  Expected<void> check(Mode mode) const;

  /// While an attempt is under way nothing can be added.
  void set_busy(bool busy) { busy_ = busy; }
  bool is_busy() const { return busy_; }
  std::size_t size() const { return blockers_.size(); }

 private:
  struct Blocker {
    BlockerId id;
    Modes modes;
    Error reason;
  };

  std::vector<Blocker> blockers_;
  BlockerId last_id_ = 0;
  bool busy_ = false;
};

}  // namespace vcpr::lifecycle
