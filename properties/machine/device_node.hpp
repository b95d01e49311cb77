// The device nodes of a host with VFIO: which there are, and which subsystem opens each.
#pragma once

#include <cstdint>
#include <string_view>

#include "properties/machine/description.hpp"
#include "properties/machine/file_object.hpp"

namespace vcpr::machine {

/// /dev/null, /dev/zero, /dev/vfio/vfio, /dev/vfio/N, /dev/vfio/devices/vfioN, /dev/iommu, /dev/kvm; none otherwise.
Device find_device(std::string_view path);
/// Mode and device number of the node at `path`.
void describe_device(Description& description, Device device, std::string_view path);

/// What the subsystem makes of an open of the node; null for a node without one. Its error otherwise.
os::Result<FileObject*> open_node(Context& context, Device device, std::string_view path);

}  // namespace vcpr::machine
