// The old side of a handover, from the request to the moment when the VM is another's, or is again as it was.
//
// transfer: checking -> sending_table -> waiting_for_target -> connecting -> stopping -> saving -> sending_state
//                                                            -> waiting_for_answer (a vcpr target only) -> done
// exec:     checking -> stopping -> saving -> executing      reboot: checking -> stopping -> saving -> done
// any of them, on an error or cancel(): rolling_back -> failed, with the VM as it was
//
// The guest is stopped before anything is let go (QEMU lets go first: windows W4, W6, W7, W8, W13). The table that was
// sent while the guest ran must still be the one at the stop, or the attempt ends there (W1-W3).
#pragma once

#include <memory>
#include <string>

#include "engine/handover/advance.hpp"
#include "engine/handover/exec.hpp"
#include "engine/handover/main_channel.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/vm/virtual_machine.hpp"

namespace vcpr::handover {

enum class Phase : std::uint8_t {
  checking,
  sending_table,       ///< the CPR state; the guest runs
  waiting_for_target,  ///< until it hangs up: its VM is built, it listens on the main channel
  connecting,
  stopping,  ///< vCPUs pause; the table is compared with the one that was sent
  saving,    ///< everybody lets go, the main stream is written
  sending_state,
  waiting_for_answer,  ///< the target has loaded, or says why not
  executing,
  rolling_back,  ///< also while the other process still holds what only one can have
  done,
  failed
};
std::string_view name(Phase phase);

struct SourceOptions {
  lifecycle::Mode mode = lifecycle::Mode::cpr_transfer;
  std::string cpr_socket{};   ///< transfer: path the target listens at
  std::string main_socket{};  ///< transfer: path of the main channel
  int main_file = -1;  ///< exec, reboot: an open file the main stream is written to from its start; stays the caller's
  std::string exec_path{};  ///< exec
  std::vector<std::string> exec_arguments{};
  /// Send the table while the guest is stopped: longer downtime, and nothing can change behind it.
  bool stop_first = false;
  /// Ask a vcpr target for an answer before the VM is given away; a QEMU never sees the question.
  bool want_answer = true;
  Timeouts timeouts{};
};

/// Whether the VM could be given back.
enum class RollBack : std::uint8_t {
  not_needed,  ///< nothing had been let go
  complete,
  waiting_for_peer,  ///< which still lives, or holds what only one can have
  incomplete,        ///< the VM is paused; VirtualMachine::start() tries again
};

/// How often a roll-back looks again, and how often it tries what fails for another reason than the peer.
inline constexpr os::Duration kTakeBackRetry = os::Duration::milliseconds(10);
inline constexpr std::uint32_t kTakeBackAttempts = 8;

class Source {
 public:
  /// Nothing happens before advance(). The VM must outlive it.
  Source(vm::VirtualMachine& vm, SourceOptions options);
  /// An attempt under way ends as it can without waiting: the VM is as it was, or paused (start() takes back the rest),
  /// or, if a target that is told nothing more may run it, given away.
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// done: the VM is given away (exec: never, as success does not return). An error: the attempt has failed and the VM
  /// is as it was; it is reported once, when the roll-back is over. While the other process still holds an irqfd, it
  /// answers waiting, and the VM stays paused; obstacle() says for whom.
  Expected<Advance> advance();
  Phase phase() const { return phase_; }
  RollBack roll_back() const { return roll_back_; }
  /// Who holds what, while the roll-back waits.
  const std::optional<Error>& obstacle() const { return obstacle_; }
  /// Gives up; nothing once the VM is given away. advance() until it reports.
  void cancel();

 private:
  struct Attempt;

  Expected<std::optional<Advance>> step();
  Expected<std::optional<Advance>> check();
  Expected<void> check_options() const;
  Expected<std::optional<Advance>> send_table();
  Expected<std::optional<Advance>> connect();
  Expected<std::optional<Advance>> stop();
  Expected<void> check_table();
  Expected<std::optional<Advance>> save();
  Expected<void> save_stream();
  Expected<void> write_file();
  Expected<std::optional<Advance>> send_state();
  Expected<std::optional<Advance>> hear_answer();
  Error execute();
  std::optional<Error> refusal_heard();
  void give_away();

  void fail(Error error);
  Expected<Advance> take_back();
  std::optional<Advance> part_from_target();
  bool say_abort();
  Expected<Advance> end(RollBack how);
  Advance retry() const;

  lifecycle::Life& life() { return vm_.life(); }
  os::Kernel& kernel() { return life().kernel; }

  vm::VirtualMachine& vm_;
  SourceOptions options_;
  Phase phase_ = Phase::checking;
  RollBack roll_back_ = RollBack::not_needed;
  std::optional<Error> obstacle_;
  std::unique_ptr<Attempt> attempt_;
};

}  // namespace vcpr::handover
