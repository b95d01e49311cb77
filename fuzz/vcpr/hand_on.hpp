// A state on its way out of this process, to a target that listens or to the program that follows.
#pragma once

#include <string>
#include <vector>

#include "engine/handover/advance.hpp"
#include "engine/handover/cpr_state.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::tool {

/// Sends the state to a target that listens at `socket` and waits until it hangs up. Every error of TransferSource.
Expected<void> hand_to_socket(os::Kernel& kernel, const handover::CprState& state, const std::string& socket,
                              handover::Timeouts timeouts);

/// Becomes `command`, which inherits the state; its first word is the path of the program. Returns only on failure,
/// with every error of ExecSource.
Error become(os::Kernel& kernel, const handover::CprState& state, const std::vector<std::string>& command);

/// The same time for every step of a handover.
handover::Timeouts timeouts_of(unsigned seconds);

}  // namespace vcpr::tool
