// Short forms of the calls on a device file that cases are made of.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "engine/os/abi/vfio.hpp"
#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

inline constexpr Outcome kInvalid = fails(Errno::einval);
inline constexpr Outcome kAgain = fails(Errno::eagain);
inline constexpr std::uint32_t kNone = abi::vfio_irq_set_data_none;
inline constexpr std::uint32_t kBool = abi::vfio_irq_set_data_bool;
inline constexpr std::uint32_t kFds = abi::vfio_irq_set_data_eventfd;
inline constexpr std::uint32_t kMask = abi::vfio_irq_set_action_mask;
inline constexpr std::uint32_t kUnmask = abi::vfio_irq_set_action_unmask;
inline constexpr std::uint32_t kTrigger = abi::vfio_irq_set_action_trigger;
inline constexpr std::uint32_t kIntx = abi::vfio_pci_intx_irq_index;
inline constexpr std::uint32_t kMsi = abi::vfio_pci_msi_irq_index;
inline constexpr std::uint32_t kMsix = abi::vfio_pci_msix_irq_index;
inline constexpr std::uint32_t kErr = abi::vfio_pci_err_irq_index;
inline constexpr std::uint32_t kReq = abi::vfio_pci_req_irq_index;
inline constexpr std::uint64_t kConfig = std::uint64_t{abi::vfio_pci_config_region_index} << 40;
inline constexpr std::uint64_t kCommandRegister = 4;

/// A device got from its group, in a type1v2 container of its own.
struct OpenDevice {
  OpenDevice(World& world, machine::DeviceModel model, unsigned index = 0);

  /// VFIO_DEVICE_SET_IRQS with these eventfds, or with no data.
  Outcome irqs(std::uint32_t index, std::uint32_t flags, std::uint32_t start, std::uint32_t count,
               std::initializer_list<int> fds = {}) const;
  Outcome bools(std::uint32_t index, std::uint32_t flags, std::uint32_t start,
                std::initializer_list<std::uint8_t> values) const;
  /// The struct, or the errno in `flags` and `count` alike.
  struct IrqInfo {
    Outcome flags = 0, count = 0;
  };
  IrqInfo irq_info(std::uint32_t index) const;
  Outcome region_info(abi::vfio_region_info& info) const;
  Outcome get(int group_fd);
  Outcome reopen_group();

  /// BAR 0 and config space.
  Outcome write_register(std::uint64_t offset, std::uint32_t value) const;
  Outcome read_register(std::uint64_t offset) const;
  Outcome write_register_wide(std::uint64_t offset, std::uint64_t value) const;
  Outcome set_command(std::uint16_t set, std::uint16_t clear = 0) const;

  World& world;
  os::Kernel& k;
  HostDevice host;
  int container = -1;
  int group = -1;
  int fd = -1;
};

/// The counter once the interrupt has come, or EAGAIN after a second.
Outcome await_counter(os::Kernel& kernel, int eventfd);

}  // namespace vcpr::conformance
