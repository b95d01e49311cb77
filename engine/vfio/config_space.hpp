// The configuration space of a passthrough device as its guest sees it.
//
// Each bit has one owner. Emulated bits are answered from here: BARs (the guest's addresses are not the host's), the
// ROM's BAR (there is none), MSI but for its mask and pending bits, MSI-X. All others are the device's, behind the
// kernel's own emulation (drivers/vfio/pci/vfio_pci_config.c). A copy of what the guest last wrote is kept of those
// that decide something: COMMAND above all.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "engine/kvm/message.hpp"
#include "engine/vfio/capabilities.hpp"
#include "engine/vfio/device.hpp"
#include "engine/vmstate/sections/vfio_cpr_pci.hpp"

namespace vcpr::vfio {

class ConfigSpace {
 public:
  /// One read of the whole space; nothing is written, BARs are sized by their regions. os_error; bad_value (size,
  /// capability list, a count of vectors that is not the kernel's).
  static Expected<std::unique_ptr<ConfigSpace>> read(Device& device);

  std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }
  bool is_express() const;
  /// 1 to 4: INTA to INTD; 0: none.
  std::uint32_t pin() const { return pci::get(bytes_, pci::kInterruptPin, 1); }
  const std::optional<MsiCapability>& msi() const { return capabilities_.msi; }
  const std::optional<MsixCapability>& msix() const { return capabilities_.msix; }
  /// What a section carries.
  std::span<const std::byte> bytes() const { return bytes_; }

  // The guest's accesses: 1, 2 or 4 bytes.
  /// All ones beyond the end, and for bits of a device that does not answer.
  std::uint32_t read(std::uint32_t offset, std::uint32_t bytes) const;
  /// bad_value beyond the end; os_error. What is emulated is written in any case.
  Expected<void> write(std::uint32_t offset, std::uint32_t value, std::uint32_t bytes);

  // What the guest has programmed
  bool decodes_memory() const { return (command() & pci::kCommandMemory) != 0; }
  bool is_msi_enabled() const;
  /// 1, 2, 4 ...; never more than the device has.
  std::uint32_t msi_vectors() const;
  kvm::MsiMessage msi_message(std::uint32_t vector) const;
  bool is_msi_masked(std::uint32_t vector) const;
  bool is_msix_enabled() const;
  /// The function mask: every vector counts as masked.
  bool is_msix_masked() const;
  /// Guest address of a memory BAR; nothing while it is none, is being sized, is an I/O BAR, or memory is not decoded.
  std::optional<std::uint64_t> bar_address(std::uint32_t bar) const;

  /// Whether a loaded space can be this device's: bad_value names byte, bits and both values. Bits that the guest can
  /// write, and bits that the hardware changes by itself, may differ; identity and the list of capabilities may not.
  Expected<void> check(std::span<const std::byte> loaded) const;
  /// Takes over what the guest had programmed; nothing is written to the device.
  void adopt(std::span<const std::byte> loaded);

 private:
  explicit ConfigSpace(Device& device) : device_(device) {}
  /// Rules lie in the conventional part: what lies beyond is the device's.
  static constexpr std::size_t kRuledBytes = vmstate::kPciConfigBytes;
  using Mask = std::array<std::byte, kRuledBytes>;

  Expected<void> check_counts() const;
  std::uint32_t command() const { return pci::get(bytes_, pci::kCommand, 2); }
  void set_masks();
  void set_bar_masks();
  void set_interrupt_masks();
  void compare(std::uint32_t offset, std::uint32_t bytes, std::uint32_t mask = ~0U);
  bool is_upper_half(std::uint32_t bar) const { return bar > 0 && is_wide_[bar - 1]; }

  Device& device_;
  Capabilities capabilities_;
  std::vector<std::byte> bytes_;
  Mask emulated_{};  ///< bits answered from bytes_
  Mask writable_{};  ///< bits of bytes_ that follow the guest's writes
  Mask compared_{};  ///< bits that a loaded space must share
  std::array<bool, pci::kBars> is_wide_{};
};

}  // namespace vcpr::vfio
