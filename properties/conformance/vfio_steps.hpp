// Short forms of the VFIO calls that cases are made of.
#pragma once

#include <cstdint>

#include "engine/os/abi/vfio.hpp"
#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

namespace request = abi::request;
inline constexpr std::uint32_t kMapRead = abi::vfio_dma_map_flag_read;
inline constexpr std::uint32_t kMapWrite = abi::vfio_dma_map_flag_write;
inline constexpr std::uint32_t kMapBoth = kMapRead | kMapWrite;
inline constexpr std::uint32_t kMapVaddr = abi::vfio_dma_map_flag_vaddr;
inline constexpr std::uint32_t kUnmapDirty = abi::vfio_dma_unmap_flag_get_dirty_bitmap;
inline constexpr std::uint32_t kUnmapAll = abi::vfio_dma_unmap_flag_all;
inline constexpr std::uint32_t kUnmapVaddr = abi::vfio_dma_unmap_flag_vaddr;

/// An ioctl whose argument is a number.
Outcome ioctl_number(os::Kernel& kernel, int fd, std::uint64_t request, std::uint64_t number = 0);

int open_container(os::Kernel& kernel);
/// The descriptor, or the errno.
Outcome open_group(World& world, const HostDevice& device);
Outcome set_container(os::Kernel& kernel, int group, int container);
/// Flags of the group, or the errno.
Outcome group_status(os::Kernel& kernel, int group);
Outcome get_device_fd(os::Kernel& kernel, int group, const std::string& name);

/// 64 pages of private anonymous memory.
os::UserAddr make_memory(os::Kernel& kernel);
Outcome map_dma(os::Kernel& kernel, int container, std::uint64_t iova, os::UserAddr vaddr, std::uint64_t size,
                std::uint32_t flags = kMapBoth);
/// The size field after a call that succeeded, or the errno.
Outcome unmap_dma(os::Kernel& kernel, int container, std::uint64_t iova, std::uint64_t size, std::uint32_t flags = 0);

/// A container of type1v2 with the group of the host's first edu.
struct Type1Container {
  explicit Type1Container(World& world, std::uint32_t type = abi::vfio_type1v2_iommu);

  HostDevice device;
  int container = -1;
  int group = -1;
};

}  // namespace vcpr::conformance
