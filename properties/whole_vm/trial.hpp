// One attempt at a handover of a VM that is there, and all that is asked of it: what fuzz targets, properties and
// sweeps are made of.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "properties/whole_vm/invariants.hpp"
#include "properties/whole_vm/watch.hpp"

namespace vcpr::whole_vm {

struct Played {
  Outcome outcome;
  bool given = false;
  bool damaged = false;
  std::vector<machine::FaultSet> calls{};  ///< of the attempt, in order: the fault points that each came by
  std::vector<Violation> violations{};     ///< of the invariants
};

class Trial final : private machine::Listener {
 public:
  /// The VM has an owner. `disturbed`: the attempt may end either way.
  Trial(Rig& rig, const Attempt& attempt, bool disturbed);
  /// What disturbs it is the guest's and the management's work: it may be refused, but somebody has the VM in the end.
  void cannot_be_lost() { may_be_lost_ = false; }
  /// Hands over, lets the old process quit if the VM was given away, lets the guest handle what waits, raises every
  /// interrupt once more, and asks every invariant. `also` hears every call.
  Played run(machine::Listener* also = nullptr);
  /// Bytes or descriptors were damaged on their way, so that what arrives need not be what was sent: only what must
  /// hold even then is asked.
  void was_damaged();
  /// From within the attempt: the guest or the management changes the old VM while it runs. What must stay is what is
  /// there then. Nothing when the old VM does not run.
  void change(const std::function<Expected<void>(Owner&)>& how);
  /// The same, of a device that comes or goes.
  void replug(const std::function<Expected<void>(Owner&)>& how);

 private:
  void called(const machine::CallRecord& record) override;
  void relax();

  Rig& rig_;
  const Attempt& attempt_;
  bool disturbed_;
  bool may_be_lost_;
  bool damaged_ = false;
  bool changed_ = false;
  bool replugged_ = false;
  Witness witness_;
  machine::Listener* also_ = nullptr;
  Facts before_;
  Watch watch_;
  Verdict at_once_;  ///< of the watch, the first
};

/// Memory with something in it, each interrupt raised once: a VM that has been at work.
Expected<void> boot_and_work(Rig& rig);
/// A VM of this shape and one attempt.
Played play(const Shape& shape, const Attempt& attempt, bool disturbed);

}  // namespace vcpr::whole_vm
