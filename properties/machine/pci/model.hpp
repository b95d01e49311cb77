// What tells one model of device from another: ids, BARs, capabilities.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "properties/machine/machine.hpp"

namespace vcpr::machine {

inline constexpr std::uint32_t kBars = 6;
/// The most message interrupts a model has: what the size field of MSI-X can say.
inline constexpr std::uint32_t kMaxVectors = 2048;

struct Bar {
  std::uint32_t bytes = 0;  ///< a power of two; 0: not there
  bool is_memory = true;    ///< or I/O ports
  bool is_wide = false;     ///< 64 bits: takes the next BAR's register
};

struct PciModel {
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  std::uint32_t class_and_revision = 0;
  std::array<Bar, kBars> bars{};
  std::uint8_t power = 0;  ///< offset of the power management capability; 0: none
  std::uint8_t msi = 0;    ///< offset of the MSI capability, 64 bits and one vector; 0: none
  bool msi_masks = false;  ///< per-vector masking
  std::uint8_t msix = 0;   ///< offset of the MSI-X capability; 0: none
  std::uint16_t msix_vectors = 0;
  std::uint8_t msix_bar = 0;            ///< table at 0
  std::uint32_t pending_bits = 0x2000;  ///< offset in msix_bar
  std::uint8_t express = 0;             ///< offset of the PCI Express capability; 0: conventional PCI
  bool can_reset = false;               ///< FLR, or the parent driver's own
  /// The most messages it can have on at once.
  std::uint32_t messages() const { return std::max<std::uint32_t>(msix_vectors, msi != 0 ? 1 : 0); }
  std::uint32_t config_bytes() const { return express != 0 ? 4096 : 256; }
};

inline constexpr std::uint64_t kTableEntryBytes = 16;

const PciModel& model_of(DeviceModel model);

}  // namespace vcpr::machine
