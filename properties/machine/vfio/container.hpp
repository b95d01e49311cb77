// /dev/vfio/vfio: a container and its type1 IOMMU state.
#pragma once

#include "properties/machine/device_node.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_container(Context& context);

}  // namespace vcpr::machine
