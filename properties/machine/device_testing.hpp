// A device file without a group or an iommufd behind it, for tests of what belongs to the device alone.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

/// Opens device N for the process as VFIO_GROUP_GET_DEVICE_FD would; returns the number.
inline int open_bare_device(Machine& machine, Process& process, std::uint32_t number) {
  ProcessState& state = state_of(process);
  auto* file = machine.impl().arena.make<VfioDeviceFile>(*find_cdev(machine.impl(), number), nullptr);
  Description& description = make_description(machine.impl(), FileKind::anonymous, 2);
  description.object = file;
  open_device(file->device, nullptr);
  file->is_open = true;
  acquire(description);
  const std::uint32_t free = state.table.lowest_free();
  state.table.put(machine.impl().arena, free, description, true);
  return static_cast<int>(free);
}

/// VFIO_DEVICE_SET_IRQS with the fds as data, or with none.
inline os::Result<int> set_irqs(os::Kernel& kernel, int device, std::uint32_t index, std::uint32_t flags,
                                std::uint32_t start, std::uint32_t count, std::span<const int> fds = {}) {
  std::array<std::byte, sizeof(os::abi::vfio_irq_set) + 16 * sizeof(int)> argument{};
  const auto bytes = static_cast<std::uint32_t>(sizeof(os::abi::vfio_irq_set) + fds.size_bytes());
  const os::abi::vfio_irq_set header{bytes, flags, index, start, count};
  std::memcpy(argument.data(), &header, sizeof header);
  if (!fds.empty()) std::memcpy(argument.data() + sizeof header, fds.data(), fds.size_bytes());
  return kernel.ioctl(device, os::abi::request::vfio_device_set_irqs, argument.data());
}

}  // namespace vcpr::machine
