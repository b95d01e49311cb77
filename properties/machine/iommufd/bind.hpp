// What a device file of its own (cdev) asks of an iommufd (drivers/vfio/device_cdev.c).
#pragma once

#include "engine/os/kernel.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::machine {

struct Context;
class VfioDeviceFile;

/// VFIO_DEVICE_BIND_IOMMUFD; opens the device.
os::Result<int> bind_iommufd(Context& context, VfioDeviceFile& file, void* argument);
/// VFIO_DEVICE_ATTACH_IOMMUFD_PT, VFIO_DEVICE_DETACH_IOMMUFD_PT: of a bound cdev file only.
os::Result<int> attach_iommufd_pt(Context& context, VfioDeviceFile& file, void* argument);
os::Result<int> detach_iommufd_pt(Context& context, VfioDeviceFile& file, void* argument);
/// At the device's last close: detaches, destroys its DEVICE object, lets the iommufd go.
void unbind_iommufd(Machine::Impl& machine, VfioDeviceFile& file);

}  // namespace vcpr::machine
