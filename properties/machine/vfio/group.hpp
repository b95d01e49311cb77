// /dev/vfio/N: an IOMMU group as a file.
#pragma once

#include "properties/machine/device_node.hpp"

namespace vcpr::machine {

/// ENOENT when there is no such group, EBUSY when it is open or in use.
os::Result<FileObject*> open_group(Context& context, std::uint32_t number);

}  // namespace vcpr::machine
