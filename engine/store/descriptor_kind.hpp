// What a descriptor is, asked of the kernel, and what an entry's name says it must be.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"
#include "engine/store/descriptor_table.hpp"

namespace vcpr::store {

enum class DescriptorKind : std::uint8_t {
  any,  ///< wanted only: no requirement
  eventfd,
  file,            ///< regular: memfd, shm, file
  vfio_container,  ///< /dev/vfio/vfio: misc device 10:196 (kernel include/linux/miscdevice.h, VFIO_MINOR)
  vfio_group,      ///< a character device .../vfio/N or .../vfio/noiommu-N
  device,          ///< another character device, or the anonymous [vfio-device]
  socket,
  pipe,
  other,
};

std::string_view name(DescriptorKind kind);

/// fstat, and readlink of /proc/self/fd/N where fstat does not tell: bad_descriptor (not open), os_error, gone.
Expected<DescriptorKind> kind_of(os::Kernel& kernel, int number);

/// The names CPR reserves (vfio_group, vfio_container_for_group, *_interrupt, *_kvm_interrupt, *_intx-interrupt,
/// *_intx-unmask, *_err_notifier, *_req_notifier) say what their descriptor must be; any other name says any.
DescriptorKind required_kind(std::string_view name);

/// Asks the kernel about every entry whose name reserves a kind, with one call for an eventfd or a container:
/// wrong_kind names the entry and both kinds; and the errors of kind_of.
Expected<void> verify_kinds(os::Kernel& kernel, const DescriptorTable& table);

}  // namespace vcpr::store
