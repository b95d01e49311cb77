// /dev/vfio/devices/vfioN: a device as a file, before and after it is bound.
#pragma once

#include "properties/machine/device_node.hpp"

namespace vcpr::machine {

/// ENOENT when there is no such device.
os::Result<FileObject*> open_cdev(Context& context, std::uint32_t number);

}  // namespace vcpr::machine
