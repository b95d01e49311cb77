// New descriptors of this machine in the place of recorded ones.
#pragma once

#include <span>

#include "engine/handover/cpr_state.hpp"
#include "engine/os/error.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/kernel.hpp"
#include "fuzz/vcpr/sidecar.hpp"

namespace vcpr::tool {

/// A descriptor as it was recorded: a memfd of that name, size and seals, an eventfd, one end of a socket pair, the
/// character device opened anew. wrong_kind for what cannot be made anew (a device of a VFIO group, a pipe), os_error.
Expected<os::Fd> make_fresh(os::Kernel& kernel, const RecordedDescriptor& recorded);

/// The state of a recorded transfer, holding fresh descriptors. bad_value when the sidecar is not that of a CPR state,
/// and every error of make_fresh and load_cpr_state.
Expected<handover::CprState> fresh_state(os::Kernel& kernel, std::span<const std::byte> stream, const Sidecar& sidecar);

}  // namespace vcpr::tool
