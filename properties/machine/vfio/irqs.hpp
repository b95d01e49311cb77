// VFIO_DEVICE_GET_IRQ_INFO and VFIO_DEVICE_SET_IRQS (drivers/vfio/pci/vfio_pci_core.c, vfio_pci_intrs.c).
#pragma once

#include "engine/os/kernel.hpp"

namespace vcpr::machine {

struct Context;
struct VfioDevice;

/// EFAULT, EINVAL.
os::Result<int> get_irq_info(Context& context, VfioDevice& device, void* argument);
/// EFAULT, EINVAL for what vfio_set_irqs_validate_and_prepare refuses, ENOTTY for an action the index lacks, then the
/// errors of each index. A positive number: so many message vectors were left, fewer than asked for.
os::Result<int> set_irqs(Context& context, VfioDevice& device, void* argument);

}  // namespace vcpr::machine
