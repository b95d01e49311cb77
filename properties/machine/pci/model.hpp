// What tells one model of device from another: ids, BARs, capabilities.
#pragma once

#include <array>
#include <cstdint>

#include "properties/machine/machine.hpp"

namespace vcpr::machine {

inline constexpr std::uint32_t kBars = 6;
/// The most message interrupts a model has.
inline constexpr std::uint32_t kMaxVectors = 16;

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
  std::uint8_t msix_bar = 0;  ///< table at 0, pending bits at kPendingBits
  std::uint8_t express = 0;   ///< offset of the PCI Express capability; 0: conventional PCI
  bool can_reset = false;     ///< FLR, or the parent driver's own
  std::uint32_t config_bytes() const { return express != 0 ? 4096 : 256; }
};

/// Offset of the pending bits in the MSI-X BAR of every model here.
inline constexpr std::uint64_t kPendingBits = 0x2000;
inline constexpr std::uint64_t kTableEntryBytes = 16;

const PciModel& model_of(DeviceModel model);

}  // namespace vcpr::machine
