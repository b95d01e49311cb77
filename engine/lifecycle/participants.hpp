// Who takes part in a handover, and in which order: QEMU's notifiers (SETUP, DONE, FAILED) and section hooks (pre-save,
// post-load) as one object with an undo for each step.
//
// old:  let_go ... of every participant, last rank first      new:  check_loaded of every participant (no effect)
//         |  error or abort: take_back, exact reverse                take_over, first rank first
//       done (the other side has the VM)                             |  error: give_up, exact reverse
#pragma once

#include <string>
#include <vector>

#include "engine/lifecycle/mode.hpp"
#include "engine/os/error.hpp"

namespace vcpr::lifecycle {

/// What must be there before what. The new side takes over in this order, the old side lets go in the reverse: an
/// interrupt can only be injected into a controller that has its state, and letting go of irqfds comes before the
/// controller's state is fetched (invariant I27).
enum class Rank : std::uint8_t {
  interrupt_controller,  ///< KVM: vCPU interrupt state, irqchips
  memory_map,            ///< what decides which ranges there are: BARs
  ownership,             ///< iommufd: whose memory is charged
  addresses,             ///< type1: vaddrs
  devices,               ///< irqfds and handlers
};

/// All steps happen while the guest is stopped, but for reboot, where it sleeps. Defaults: nothing to do.
class Participant {
 public:
  virtual ~Participant() = default;
  /// "container 0", for errors.
  virtual std::string what() const = 0;

  /// Old side (SETUP and pre-save): lets go of what only one process can have, and notes for its section what it held.
  /// May fail half way: take_back is called then too.
  virtual Expected<void> let_go(Mode) { return {}; }
  /// Old side (FAILED): as before let_go. Idempotent; does all it can although a part of it fails, and is called again
  /// after an error. EBUSY of the first error's `os`: the other process still holds what is wanted.
  virtual Expected<void> take_back() { return {}; }
  /// Old side (DONE): the VM belongs to another process now.
  virtual void done() {}

  /// New side: whether the loaded section fits this machine. Touches no kernel object; bad_value names both values.
  virtual Expected<void> check_loaded() { return {}; }
  /// New side (post-load). May fail half way: give_up is called then too.
  virtual Expected<void> take_over() { return {}; }
  /// New side: lets go again of what take_over got, so that the old side can take it back, and no signal is lost.
  virtual void give_up() {}
};

/// Participants are borrowed and must be removed before they die. One attempt, or one load, at a time.
class Participants {
 public:
  void add(Participant& participant, Rank rank, Modes modes);
  /// Nothing when it was not added. It hears nothing more, of an attempt under way neither.
  void remove(Participant& participant);
  std::size_t size() const { return members_.size(); }

  /// Stops at the first error, whose text then begins with what().
  Expected<void> let_go(Mode mode);
  /// To everybody whose let_go was called and who has not taken back yet, also after the errors of others; the first
  /// error. Called again it asks those again that failed.
  Expected<void> take_back();
  /// To everybody who let go.
  void done();

  Expected<void> check_loaded(Mode mode);
  Expected<void> take_over(Mode mode);
  /// To everybody whose take_over was called. Idempotent.
  void give_up();

 private:
  struct Member {
    Participant* participant;
    Rank rank;
    Modes modes;
    bool engaged = false;  ///< let_go or take_over was called, and not yet undone or completed
  };

  std::vector<Member> members_;  ///< by rank, then in order of addition
};

}  // namespace vcpr::lifecycle
