// The section "vfio-container": no bytes, only the moment at which its owner's hooks run (QEMU's hw/vfio/cpr-legacy.c).
#pragma once

#include "engine/vmstate/fields.hpp"

namespace vcpr::vmstate {

/// Matched between old and new by the order in which containers were created: instances 0, 1, 2 ...
struct VfioContainerSection {};

inline constexpr auto kVfioContainer = describe<VfioContainerSection>("vfio-container", 0).at(Priority::low);

}  // namespace vcpr::vmstate
