// The section "<device path>/vfio-cpr-pci": what of a passthrough device lives in the VMM (QEMU's hw/vfio/cpr.c,
// hw/pci/pci.c, hw/pci/msix.c).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/vmstate/fields.hpp"

namespace vcpr::vmstate {

inline constexpr std::int64_t kPciConfigBytes = 256;
inline constexpr std::int64_t kPcieConfigBytes = 4096;
inline constexpr std::uint32_t kIntxPins = 4;
inline constexpr std::int64_t kMsixEntryBytes = 16;
/// PCI Local Bus Specification 3.0, 6.8.2.3: the table size field has 11 bits.
inline constexpr std::uint32_t kMaxMsixVectors = 2048;

/// PCIDevice and its MSI-X table. Config size and vector count are the device's, set before a load: the stream holds
/// neither.
struct PciFunction {
  bool is_express = false;
  std::uint32_t msix_vectors = 0;  ///< 0: no MSI-X

  std::int32_t version_id = 2;
  std::vector<std::byte> config;                       ///< as the guest sees it
  std::array<std::uint32_t, kIntxPins> intx_levels{};  ///< of INTA..INTD, 0 or 1
  std::vector<std::byte> msix;                         ///< table, then pending bits, as the guest sees them

  bool is_conventional() const { return !is_express; }
  bool has_msix() const { return msix_vectors != 0; }
  std::int64_t msix_bytes() const { return msix_vectors * kMsixEntryBytes + (msix_vectors + 7) / 8; }
};

inline constexpr std::int64_t conventional_config_bytes(const PciFunction&) {
  return kPciConfigBytes;
}
inline constexpr std::int64_t express_config_bytes(const PciFunction&) {
  return kPcieConfigBytes;
}

inline constexpr Field kPciDeviceFields[] = {
    less_or_equal<&PciFunction::version_id>("version_id"),
    vbuffer<&PciFunction::config, &conventional_config_bytes>("config").exists<&PciFunction::is_conventional>().as(
        "pci config"),
    vbuffer<&PciFunction::config, &express_config_bytes>("config").exists<&PciFunction::is_express>().as("pci config"),
    field<&PciFunction::intx_levels>("irq_state").at_most(1).as("pci irq state"),
};
inline constexpr auto kPciDevice = describe<PciFunction>("PCIDevice", 2, kPciDeviceFields);

inline constexpr Field kMsixFields[] = {
    vbuffer<&PciFunction::msix, &PciFunction::msix_bytes>("msix").as("msix state"),
};
inline constexpr auto kMsix = describe<PciFunction>("msix", 0, kMsixFields);

enum class IntxRouteMode : std::uint32_t { enabled, inverted, disabled };

struct IntxState {
  bool pending = false;
  IntxRouteMode route_mode = IntxRouteMode::disabled;
  std::int32_t route_irq = 0;
};

inline constexpr Field kIntxFields[] = {
    field<&IntxState::pending>("pending"),
    field<&IntxState::route_mode>("route.mode").at_most(static_cast<std::uint32_t>(IntxRouteMode::disabled)),
    field<&IntxState::route_irq>("route.irq"),
};
inline constexpr auto kIntx = describe<IntxState>("vfio-cpr-intx", 0, kIntxFields);

struct VfioCprPci {
  PciFunction function;
  IntxState intx;

  bool has_msix() const { return function.has_msix(); }
};

inline constexpr Field kVfioCprPciFields[] = {
    structure<&VfioCprPci::function>("parent_obj", kPciDevice),
    structure<&VfioCprPci::function>("parent_obj", kMsix).exists<&VfioCprPci::has_msix>(),
    structure<&VfioCprPci::intx>("intx", kIntx),
};
inline constexpr auto kVfioCprPci = describe<VfioCprPci>("vfio-cpr-pci", 0, kVfioCprPciFields);

}  // namespace vcpr::vmstate
