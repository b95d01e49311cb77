// Who takes part in a handover, and in which order: QEMU's notifiers (SETUP, DONE, FAILED) and section hooks (pre-save,
// post-load) as one object with an undo for each step.
//
// old:  let_go ... of every participant, last rank first      new:  check_loaded of every participant (no effect)
//         |  error or abort: take_back, exact reverse                take_over, first rank first
//       done (the other side has the VM)                             |  error: give_up, exact reverse
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

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

/// Participants are borrowed and must be removed before they die. One attempt, or one load, at a time. Participants may
/// be added and removed from within a step; one that is added hears of the step if its turn is still to come.
class Participants {
 public:
  /// Not one that was added before.
  void add(Participant& participant, Rank rank, Modes modes);
  /// Nothing when it was not added. It hears nothing more, of an attempt under way neither.
  void remove(Participant& participant);
  std::size_t size() const { return members_.size(); }

  /// Stops at the first error, whose text then begins with what(). bad_state, and nobody is asked, while somebody has
  /// not taken back what he let go of before.
  Expected<void> let_go(Mode mode);
  /// To everybody whose let_go was called and who has not taken back yet, also after the errors of others; the first
  /// error. Called again it asks those again that failed.
  Expected<void> take_back();
  /// To everybody who let go, in the order in which they did.
  void done();

  Expected<void> check_loaded(Mode mode);
  /// Stops at the first error. bad_state, and nobody is asked, when somebody took over before and has not given up.
  Expected<void> take_over(Mode mode);
  /// To everybody whose take_over was called, until the next let_go. Idempotent.
  void give_up();

 private:
  /// What was called last and is neither undone nor completed.
  enum class Step : std::uint8_t { none, let_go, take_over };
  struct Member {
    Participant* participant;
    Modes modes;
    Step step = Step::none;
  };
  /// Rank, then order of addition; never used twice, so that a walk finds its place again whatever a step changes.
  using Place = std::pair<Rank, std::uint64_t>;

  Expected<void> check_none(Step step) const;
  bool next(std::optional<Place>& place) const;
  bool previous(std::optional<Place>& place) const;
  Expected<void> named(const Place& place, Expected<void> answer) const;
  void forget(Step step);

  std::map<Place, Member> members_;
  std::uint64_t additions_ = 0;
};

}  // namespace vcpr::lifecycle
