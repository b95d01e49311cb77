// Whether the guest runs, and if not, why.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vcpr::lifecycle {

/// The run states of QEMU (qapi RunState) that CPR can meet.
enum class RunState : std::uint8_t {
  prelaunch,       ///< built, never started
  running,         ///<
  suspended,       ///< the guest put itself to sleep (ACPI S3)
  paused,          ///< by its management
  inmigrate,       ///< waiting for the state of an old process
  finish_migrate,  ///< stopped for a handover
  postmigrate,     ///< given away: another process runs the guest
};
/// As the section globalstate spells it: "finish-migrate".
std::string_view name(RunState state);
std::optional<RunState> run_state_named(std::string_view text);

/// Whether vCPUs execute guest code, or would but for the guest's own sleep.
constexpr bool is_live(RunState state) {
  return state == RunState::running || state == RunState::suspended;
}

}  // namespace vcpr::lifecycle
