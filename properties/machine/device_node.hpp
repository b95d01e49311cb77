// The device nodes of a host with VFIO, as files: their subsystems come later.
#pragma once

#include <cstdint>
#include <string_view>

#include "properties/machine/description.hpp"

namespace vcpr::machine {

/// /dev/null, /dev/zero, /dev/vfio/vfio, /dev/vfio/N, /dev/vfio/devices/vfioN, /dev/iommu, /dev/kvm; none otherwise.
Device find_device(std::string_view path);
/// Mode and device number of the node at `path`.
void describe_device(Description& description, Device device, std::string_view path);

}  // namespace vcpr::machine
