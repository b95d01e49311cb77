// cpr-exec of the CPR state: a memfd, an environment variable, and close-on-exec cleared only for the attempt.
#pragma once

#include <cstdint>
#include <span>

#include "engine/handover/cpr_state.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::handover {

/// Name of the memfd and of the variable that holds its number in decimal (QEMU migration/cpr-exec.c).
inline constexpr const char* kExecStateName = "QEMU_CPR_EXEC_STATE";

/// Old image. persist() may be undone; exec() does nothing irrevocable before execve succeeds.
class ExecSource {
 public:
  /// `state` must outlive the source.
  ExecSource(os::Kernel& kernel, const CprState& state) : kernel_(kernel), state_(state) {}
  ~ExecSource() { roll_back(); }
  ExecSource(const ExecSource&) = delete;
  ExecSource& operator=(const ExecSource&) = delete;

  /// Writes the state into a memfd and names it in the environment; until exec() it is close-on-exec like everything
  /// else. bad_state when persisted already, bad_environment when the variable exists, os_error, gone. On error nothing
  /// has changed.
  Expected<void> persist();
  /// Clears close-on-exec on the memfd and on every descriptor of the table, then execve. Returns only on failure, with
  /// close-on-exec as it was on each descriptor and the state still persisted: bad_state (not persisted, or the table
  /// changed since), bad_descriptor, os_error. In the simulated machine also after success: gone.
  Error exec(const char* path, std::span<const char* const> arguments);
  /// Removes the variable and closes the memfd. Idempotent, total.
  void roll_back();

 private:
  os::Kernel& kernel_;
  const CprState& state_;
  os::Fd memfd_;  ///< open while persisted
  std::uint64_t generation_ = 0;
};

/// New image: true when the variable is there, whatever it holds.
bool exec_state_present(os::Kernel& kernel);

/// New image: finds, reads and loads the state; on success the variable is gone, the memfd closed, every descriptor of
/// the table close-on-exec again. On error nothing has changed but the memfd's position, which says nothing: it is
/// rewound before reading. bad_environment when the variable is missing, is not a number as persist() writes it (digits
/// only, no leading zero, at most INT32_MAX), or not that of our memfd (by its name in /proc/self/fd); every error of
/// load_cpr_state and verify_kinds; same_descriptor when the table names the memfd itself.
Expected<CprState> load_exec_state(os::Kernel& kernel, Peer peer = Peer::current);

}  // namespace vcpr::handover
