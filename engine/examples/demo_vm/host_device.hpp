// Where the host keeps a PCI device: what the engine is told of it.
#pragma once

#include "engine/examples/demo_vm/options.hpp"
#include "engine/vfio/device.hpp"

namespace vcpr::demo {

/// From /sys/bus/pci/devices: its group, or its character device. missing_key when it is not bound to vfio-pci.
Expected<vfio::DeviceConfig> find_host_device(const std::string& address, bool iommufd);

}  // namespace vcpr::demo
