// VFIO_DEVICE_RESET and the hot reset of a bus (drivers/vfio/pci/vfio_pci_core.c).
#pragma once

#include "engine/os/kernel.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

struct Context;

/// EINVAL for a device without a function reset.
os::Result<int> reset_device(Context& context, VfioDevice& device);
/// EFAULT, EINVAL, ENODEV: every device of a machine sits on the root bus, which has no reset.
os::Result<int> get_hot_reset_info(Context& context, void* argument);
os::Result<int> hot_reset(Context& context, const VfioDeviceFile& file, void* argument);

}  // namespace vcpr::machine
