// /dev/iommu: an iommufd context, its objects and their ids.
#pragma once

#include "properties/machine/device_node.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_iommufd(Context& context);

}  // namespace vcpr::machine
