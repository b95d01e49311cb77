// The capability list of a PCI function: where its interrupts are described.
#pragma once

#include <optional>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/vfio/pci_registers.hpp"

namespace vcpr::vfio {

struct MsiCapability {
  std::uint32_t offset = 0;
  std::uint32_t vectors = 0;  ///< that the device could send: 1, 2, 4 ... 32
  bool wide = false;          ///< addresses of 64 bits
  bool masks = false;         ///< a mask bit for each vector

  std::uint32_t data() const { return offset + (wide ? 12U : 8U); }
  std::uint32_t mask() const { return data() + 4; }
  std::uint32_t end() const { return masks ? mask() + 8 : data() + 2; }
};

struct MsixCapability {
  std::uint32_t offset = 0;
  std::uint32_t vectors = 0;
  std::uint32_t table_bar = 0;
  std::uint32_t table_offset = 0;
  std::uint32_t pending_bar = 0;
  std::uint32_t pending_offset = 0;

  static constexpr std::uint32_t kBytes = 12;
  static constexpr std::uint32_t kEntryBytes = 16;
  std::uint32_t table_bytes() const { return vectors * kEntryBytes; }
  /// Whole 64-bit words, as they are read.
  std::uint32_t pending_bytes() const { return (vectors + 63) / 64 * 8; }
};

struct Capabilities {
  std::vector<std::uint32_t> offsets;  ///< in the order of the list
  std::optional<MsiCapability> msi;
  std::optional<MsixCapability> msix;
  std::uint32_t power_management = 0;  ///< offset; 0: none
  std::uint32_t express = 0;           ///< offset; 0: none
};

/// `config` is at least 256 bytes. bad_value: a list that loops or leaves the space, a capability that does not fit
/// into it, a kind of interrupt twice, MSI for more than 32 vectors.
Expected<Capabilities> walk_capabilities(std::span<const std::byte> config);

}  // namespace vcpr::vfio
