// A device bound to an iommufd, and what it is attached to (drivers/iommu/iommufd/device.c).
#pragma once

#include "properties/machine/iommufd/hwpt.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

/// Used by the driver that bound it, so that nobody can destroy it.
struct IommufdDevice final : IommufdObject {
  IommufdDevice(VfioDevice& of, Description& context) : IommufdObject(ObjectKind::device), device(of), file(context) {
    users = 1;
  }

  IommufdContext& iommufd() const { return iommufd_of(file); }

  VfioDevice& device;
  Description& file;  ///< of the iommufd, held twice: by the device's file and by this object
  Hwpt* attached = nullptr;
};

/// iommufd_device_bind: EPERM when another owns the group's DMA, EBUSY when the group is not in its default domain.
os::Result<IommufdDevice*> make_device(VfioDevice& device, Description& iommufd);
/// iommufd_device_unbind, attached or not.
void destroy_device(IommufdDevice& bound);

/// To an IOAS or a HWPT, by its id; replaces what the device is attached to. The id of the HWPT: ENOENT, EINVAL,
/// EADDRINUSE, EFAULT, ENOMEM, ENODEV, with nothing changed.
os::Result<std::uint32_t> attach_device(IommufdDevice& bound, std::uint32_t id);
/// Nothing when it is not attached.
void detach_device(IommufdDevice& bound);

}  // namespace vcpr::machine
