// The section "iommufd": no bytes, only the moment at which its owner's hooks run (QEMU's hw/vfio/cpr-iommufd.c).
#pragma once

#include "engine/vmstate/fields.hpp"

namespace vcpr::vmstate {

/// Matched between old and new by the order in which back ends were created: instances 0, 1, 2 ...
struct IommufdSection {};

inline constexpr auto kIommufd = describe<IommufdSection>("iommufd", 0);

}  // namespace vcpr::vmstate
