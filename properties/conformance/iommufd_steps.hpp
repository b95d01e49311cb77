// Short forms of the iommufd calls that cases are made of: what a call came to, or the value it is made for.
#pragma once

#include <cstdint>

#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/vfio.hpp"
#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

inline constexpr std::uint32_t kFixed = abi::iommu_ioas_map_fixed_iova;
inline constexpr std::uint32_t kReadWrite = abi::iommu_ioas_map_readable | abi::iommu_ioas_map_writeable;

/// An ioctl with a struct as its argument, which is filled in.
template <class Argument>
Outcome call(os::Kernel& kernel, int fd, std::uint64_t request, Argument& argument) {
  return outcome(kernel.ioctl(fd, request, &argument));
}

/// /dev/iommu.
int open_iommu(os::Kernel& kernel);
/// The id of the new IOAS.
Outcome alloc_ioas(os::Kernel& kernel, int iommufd, std::uint32_t flags = 0);
Outcome destroy_object(os::Kernel& kernel, int iommufd, std::uint32_t id);

/// One MAP; `iova` tells afterwards where it went.
struct MapStep {
  std::uint32_t ioas = 1;
  std::uint64_t iova = 0;
  std::uint64_t address = 0;
  std::uint64_t length = kPage;
  std::uint32_t flags = kFixed | kReadWrite;
};
Outcome map_memory(os::Kernel& kernel, int iommufd, const MapStep& step);
/// Lets the kernel choose: the iova, or the errno.
Outcome map_anywhere(os::Kernel& kernel, int iommufd, std::uint32_t ioas, std::uint64_t address, std::uint64_t length);
/// `address` is the offset in the file.
Outcome map_file(os::Kernel& kernel, int iommufd, int fd, const MapStep& step);
/// The bytes that went.
Outcome unmap_memory(os::Kernel& kernel, int iommufd, std::uint32_t ioas, std::uint64_t iova, std::uint64_t length);
Outcome change_process(os::Kernel& kernel, int iommufd, std::uint32_t reserved = 0);
/// The value of the option afterwards.
Outcome get_option(os::Kernel& kernel, int iommufd, std::uint32_t option, std::uint32_t object);
Outcome set_option(os::Kernel& kernel, int iommufd, std::uint32_t option, std::uint32_t object, std::uint64_t value);

/// The id of the new queue, whose descriptor goes into `fd`.
Outcome alloc_fault_queue(os::Kernel& kernel, int iommufd, int& fd);

/// A device file of its own, BIND (the device's id), ATTACH (the HWPT's id), DETACH.
int open_cdev(World& world, unsigned index = 0, machine::DeviceModel model = machine::DeviceModel::edu);
Outcome bind_device(os::Kernel& kernel, int device, int iommufd);
Outcome attach_device(os::Kernel& kernel, int device, std::uint32_t id);
Outcome detach_device(os::Kernel& kernel, int device);

/// One HWPT_ALLOC; its id.
struct HwptStep {
  std::uint32_t device = 2;
  std::uint32_t target = 1;
  std::uint32_t flags = 0;
  std::uint32_t data_type = 0;
  std::uint32_t data_bytes = 0;
  std::uint32_t reserved = 0;
  std::uint32_t faults = 0;
};
Outcome alloc_hwpt(os::Kernel& kernel, int iommufd, const HwptStep& step);

/// A sealable memfd of that many pages.
int make_memfd(os::Kernel& kernel, std::uint64_t pages);
/// Private anonymous memory, readable and writable.
std::uint64_t map_anonymous(os::Kernel& kernel, std::uint64_t pages);

}  // namespace vcpr::conformance
