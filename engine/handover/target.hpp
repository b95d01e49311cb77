// The new side: takes the CPR state, lets the embedder build the VM from it, takes the main stream whole, checks all of
// it, and only then touches a kernel object.
//
// transfer: receiving_table -> building (the embedder) -> listening -> receiving_state -> checking -> taking_over
//                                                      -> waiting_for_word (asked by a vcpr source only) -> done
// exec:     building -> receiving_state ...             reboot: receiving_state ...
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/handover/advance.hpp"
#include "engine/handover/main_channel.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/vm/virtual_machine.hpp"

namespace vcpr::handover {

enum class TargetStep : std::uint8_t {
  receiving_table,
  building,  ///< take_arrival(), make the VM, attach()
  listening,
  receiving_state,
  checking,
  taking_over,
  waiting_for_word,  ///< loaded; the old process may still say no, until this side no longer waits for it
  done,
  failed
};
std::string_view name(TargetStep step);

struct TargetOptions {
  lifecycle::Mode mode = lifecycle::Mode::cpr_transfer;
  std::string cpr_socket{};   ///< transfer
  std::string main_socket{};  ///< transfer
  int main_file = -1;         ///< exec, reboot: read from its start; stays the caller's
  Peer peer = Peer::current;
  Timeouts timeouts{};
};

class Target {
 public:
  /// transfer: binds and listens for the CPR state at once.
  Target(os::Kernel& kernel, TargetOptions options);
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  /// done twice: when the CPR state is there (step building; until attach()), and when the VM runs, or is paused as the
  /// old one was. An error: nothing is held any more that the old process wants back; the VM is of no use. Except in
  /// step done: the VM is here, but its vCPUs did not resume; it is paused.
  Expected<Advance> advance();
  TargetStep step() const { return step_; }
  /// In step building, once; none for reboot.
  Expected<std::optional<vm::Arrival>> take_arrival();
  /// The VM that was built from it; must outlive the target. bad_state in another step.
  Expected<void> attach(vm::VirtualMachine& vm);
  /// Gives up: failed, unless done, or unless the old process has said go by now: then the VM has arrived.
  void cancel();

 private:
  struct Load;

  Expected<std::optional<Advance>> act();
  Expected<std::optional<Advance>> receive_table();
  Expected<std::optional<Advance>> listen();
  Expected<std::optional<Advance>> accept();
  Expected<std::optional<Advance>> receive();
  Expected<bool> receive_whole();
  Expected<std::optional<Advance>> check();
  Expected<std::optional<Advance>> take_over();
  Expected<std::optional<Advance>> hear_word();
  Expected<std::optional<Advance>> stop_waiting();
  Expected<std::optional<Advance>> arrive();
  Error fail(Error error);
  Expected<std::optional<Advance>> wait(std::string_view what) const;

  os::Kernel& kernel_;
  TargetOptions options_;
  TargetStep step_ = TargetStep::receiving_table;
  std::unique_ptr<Load> load_;
};

}  // namespace vcpr::handover
