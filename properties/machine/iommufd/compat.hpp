// An iommufd in the place of a VFIO container (drivers/iommu/iommufd/vfio_compat.c).
#pragma once

#include "properties/machine/iommufd/iommufd.hpp"

namespace vcpr::machine {

/// The ioctls of a container on the compat IOAS, ENODEV without one; ENOTTY for DIRTY_PAGES and every other.
os::Result<int> compat_ioctl(Context& context, IommufdContext& iommufd, std::uint64_t request, void* argument);

}  // namespace vcpr::machine
