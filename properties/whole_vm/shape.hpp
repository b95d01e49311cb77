// What VM is handed over, and on what host: the small part of an input that decides everything else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "properties/machine/machine.hpp"

namespace vcpr::whole_vm {

enum class Backend : std::uint8_t { legacy, iommufd };
enum class Interrupt : std::uint8_t { intx, msi, msix };

inline constexpr std::size_t kMaxDevices = 4;
inline constexpr std::uint64_t kRamBytes = 32 << 10;  ///< of a block

struct DeviceShape {
  machine::DeviceModel model{};
  Backend backend{};
  Interrupt kind{};
  std::uint32_t vectors = 1;  ///< that the guest's driver enables
};

struct Shape {
  std::vector<DeviceShape> devices{};  ///< at most kMaxDevices
  bool kvm = true;
  std::uint32_t ram_blocks = 1;  ///< of kRamBytes each
  machine::Switches switches{};
};

/// Of device N of a shape, on the host: "0000:00:05.0".
std::string_view host_address(std::uint32_t device);

/// "igb legacy msix 3, edu iommufd intx", for names of tests.
std::string text(const Shape& shape);

}  // namespace vcpr::whole_vm
