// Registers of PCI configuration space that the engine knows (PCI Local Bus Specification 3.0, chapter 6; PCI Express
// Base Specification, 7.5; <linux/pci_regs.h>).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vcpr::vfio::pci {

inline constexpr std::uint32_t kVendor = 0x00;
inline constexpr std::uint32_t kCommand = 0x04;
inline constexpr std::uint32_t kStatus = 0x06;
inline constexpr std::uint32_t kRevision = 0x08;
inline constexpr std::uint32_t kCacheLineSize = 0x0c;
inline constexpr std::uint32_t kHeaderType = 0x0e;
inline constexpr std::uint32_t kBar0 = 0x10;
inline constexpr std::uint32_t kSubsystem = 0x2c;
inline constexpr std::uint32_t kRom = 0x30;
inline constexpr std::uint32_t kCapabilityList = 0x34;
inline constexpr std::uint32_t kInterruptLine = 0x3c;
inline constexpr std::uint32_t kInterruptPin = 0x3d;
/// First byte behind the header that all functions have.
inline constexpr std::uint32_t kHeaderEnd = 0x40;

inline constexpr std::uint16_t kCommandIo = 0x1;
inline constexpr std::uint16_t kCommandMemory = 0x2;
inline constexpr std::uint16_t kCommandMaster = 0x4;
inline constexpr std::uint16_t kCommandNoIntx = 0x400;
inline constexpr std::uint16_t kStatusCapabilities = 0x10;

inline constexpr std::uint32_t kBars = 6;
inline constexpr std::uint32_t kBarIo = 0x1;
inline constexpr std::uint32_t kBarWide = 0x4;
inline constexpr std::uint32_t kBarMemoryBits = 0xf;
inline constexpr std::uint32_t kBarIoBits = 0x3;

inline constexpr std::uint8_t kPowerManagement = 0x01;
inline constexpr std::uint8_t kMsi = 0x05;
inline constexpr std::uint8_t kExpress = 0x10;
inline constexpr std::uint8_t kMsix = 0x11;

inline constexpr std::uint16_t kMsiEnable = 0x1;
inline constexpr std::uint16_t kMsiVectorsEnabled = 0x70;  ///< log2
inline constexpr std::uint16_t kMsiWide = 0x80;
inline constexpr std::uint16_t kMsiMasks = 0x100;
inline constexpr std::uint16_t kMsixEnable = 0x8000;
inline constexpr std::uint16_t kMsixMaskAll = 0x4000;
inline constexpr std::uint16_t kMsixTableSize = 0x7ff;  ///< minus one

/// Little endian. `bytes` <= 4, within the space.
inline std::uint32_t get(std::span<const std::byte> space, std::uint32_t offset, std::uint32_t bytes) {
  std::uint32_t value = 0;
  for (std::uint32_t i = 0; i < bytes; ++i) value |= static_cast<std::uint32_t>(space[offset + i]) << (8 * i);
  return value;
}
inline void put(std::span<std::byte> space, std::uint32_t offset, std::uint32_t value, std::uint32_t bytes) {
  for (std::uint32_t i = 0; i < bytes; ++i) space[offset + i] = static_cast<std::byte>(value >> (8 * i));
}

}  // namespace vcpr::vfio::pci
