#include "engine/vfio/capabilities.hpp"

namespace vcpr::vfio {

namespace {

constexpr std::uint32_t kSpaceEnd = 256;
/// As many as fit: each has four bytes at least.
constexpr std::size_t kMaxCapabilities = (kSpaceEnd - pci::kHeaderEnd) / 4;
constexpr std::uint32_t kMaxMsiVectorsLog2 = 5;
constexpr std::uint32_t kBarOfOffset = 7;

std::unexpected<Error> broken(std::uint32_t offset, std::string_view why) {
  return refuse(ErrorCode::bad_value, {"capability at byte ", Decimal(offset), " of config space: ", why});
}

Expected<void> add_msi(Capabilities& found, std::span<const std::byte> config, std::uint32_t offset) {
  if (found.msi) return broken(offset, "a second MSI");
  if (offset + 10 > kSpaceEnd) return broken(offset, "MSI does not fit");
  const std::uint32_t control = pci::get(config, offset + 2, 2);
  const std::uint32_t vectors_log2 = control >> 1 & 7;
  if (vectors_log2 > kMaxMsiVectorsLog2) return broken(offset, "MSI for more than 32 vectors");
  found.msi = MsiCapability{.offset = offset,
                            .vectors = 1U << vectors_log2,
                            .wide = (control & pci::kMsiWide) != 0,
                            .masks = (control & pci::kMsiMasks) != 0};
  if (found.msi->end() > kSpaceEnd) return broken(offset, "MSI does not fit");
  return {};
}

Expected<void> add_msix(Capabilities& found, std::span<const std::byte> config, std::uint32_t offset) {
  if (found.msix) return broken(offset, "a second MSI-X");
  if (offset + MsixCapability::kBytes > kSpaceEnd) return broken(offset, "MSI-X does not fit");
  const std::uint32_t table = pci::get(config, offset + 4, 4);
  const std::uint32_t pending = pci::get(config, offset + 8, 4);
  found.msix = MsixCapability{.offset = offset,
                              .vectors = (pci::get(config, offset + 2, 2) & pci::kMsixTableSize) + 1,
                              .table_bar = table & kBarOfOffset,
                              .table_offset = table & ~kBarOfOffset,
                              .pending_bar = pending & kBarOfOffset,
                              .pending_offset = pending & ~kBarOfOffset};
  const bool has_bars = found.msix->table_bar < pci::kBars && found.msix->pending_bar < pci::kBars;
  return has_bars ? Expected<void>() : broken(offset, "MSI-X in a BAR beyond 5");
}

Expected<void> add(Capabilities& found, std::span<const std::byte> config, std::uint32_t offset) {
  switch (pci::get(config, offset, 1)) {
    case pci::kMsi:
      return add_msi(found, config, offset);
    case pci::kMsix:
      return add_msix(found, config, offset);
    case pci::kPowerManagement:
      found.power_management = offset;
      return {};
    case pci::kExpress:
      found.express = offset;
      return {};
    default:
      return {};
  }
}

}  // namespace

Expected<Capabilities> walk_capabilities(std::span<const std::byte> config) {
  Capabilities found;
  if ((pci::get(config, pci::kStatus, 2) & pci::kStatusCapabilities) == 0) return found;
  std::uint32_t offset = pci::get(config, pci::kCapabilityList, 1) & ~3U;
  while (offset != 0) {
    if (offset < pci::kHeaderEnd) return broken(offset, "inside the header");
    if (found.offsets.size() == kMaxCapabilities) return broken(offset, "the list loops");
    found.offsets.push_back(offset);
    if (auto added = add(found, config, offset); !added) return std::unexpected(std::move(added.error()));
    offset = pci::get(config, offset + 1, 1) & ~3U;
  }
  return found;
}

}  // namespace vcpr::vfio
