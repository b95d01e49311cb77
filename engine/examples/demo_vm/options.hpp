// How a demo VM is made, and how its process came to be.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/os/clock.hpp"
#include "engine/os/error.hpp"

namespace vcpr::demo {

enum class InterruptKind : std::uint8_t { intx, msi, msix };

struct DeviceOptions {
  std::string address;  ///< of the host: "0000:00:07.0"
  InterruptKind kind = InterruptKind::msi;
  std::uint32_t vectors = 1;  ///< MSI-X: how many are used, 1 to 16
};

inline constexpr std::uint32_t kMaxVectorsOfADevice = 16;
/// Vectors 0x40 to 0xbf, 16 a device.
inline constexpr std::size_t kMaxDevices = 8;

/// The same for old and new process down to `devices`.
struct Options {
  std::uint64_t ram_bytes = std::uint64_t{8} << 20;
  bool kvm = true;
  bool iommufd = false;  ///< devices by cdev and iommufd; else by group and type1
  std::vector<DeviceOptions> devices;

  std::string incoming;     ///< a new process: where it listens for the CPR state
  std::string main_socket;  ///< and for the main stream
  std::string main_file;    ///< a new image: the file that the main stream is in
  std::string die_at;       ///< a new process ends itself by SIGKILL in this step (handover::TargetStep)
  std::string stop_at;      ///< the same by SIGSTOP
  os::Duration patience = os::Duration::seconds(5);  ///< with the other process, a step
  /// How this process was started, for a new image of it: program and arguments without main_file.
  std::vector<std::string> command;
};

/// "0000:00:07.0=msix:8", "0000:00:05.0=msi", "0000:00:06.0=intx". bad_value.
Expected<DeviceOptions> parse_device(std::string_view text);

}  // namespace vcpr::demo
