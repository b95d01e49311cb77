// What a device tells of itself: VFIO_DEVICE_GET_INFO and VFIO_DEVICE_GET_REGION_INFO.
#pragma once

#include "engine/os/kernel.hpp"

namespace vcpr::machine {

struct Context;
struct VfioDevice;

/// EFAULT, EINVAL when argsz is below 16.
os::Result<int> get_device_info(Context& context, VfioDevice& device, void* argument);
/// EFAULT, EINVAL when argsz is below 32 or there is no such region.
os::Result<int> get_region_info(Context& context, VfioDevice& device, void* argument);

}  // namespace vcpr::machine
