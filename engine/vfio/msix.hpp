// MSI-X: the vector table and the pending bits as the guest sees them, and a vector's life by its mask.
//
// A vector is made ready when the guest first unmasks it and stays so until MSI-X goes. While it is masked the device
// signals user space, which sets the pending bit; KVM's irqfd and route stay (QEMU hw/vfio/pci.c does the same).
#pragma once

#include <span>

#include "engine/vfio/message_interrupts.hpp"
#include "engine/vmstate/sections/vfio_cpr_pci.hpp"

namespace vcpr::vfio {

class Msix final : public MessageInterrupts {
 public:
  Msix(PciDevice& device, std::uint32_t count);

  Expected<void> enable() override;
  /// Table, then pending bits, as a section carries them.
  const std::vector<std::byte>& bytes() const { return bytes_; }
  /// Every vector masked, nothing pending.
  void reset_table();

  // The guest's accesses; within the table or the pending bits.
  void read_table(std::uint64_t offset, std::span<std::byte> bytes) const;
  Expected<void> write_table(std::uint64_t offset, std::span<const std::byte> bytes);
  void read_pending(std::uint64_t offset, std::span<std::byte> bytes) const;
  /// The guest has written the function mask.
  Expected<void> update_all();

  /// A loaded table, with MSI-X enabled or not: bad_value, missing_key, and entries for vectors that there are not.
  Expected<void> check_loaded(const vmstate::VfioCprPci& section, bool enabled, bool all_masked) const;
  void adopt_table(const vmstate::VfioCprPci& section) { bytes_ = section.function.msix; }
  /// Vectors that the kernel has allocated, where it cannot add any later.
  std::uint32_t allocated() const { return allocated_; }

 protected:
  kvm::MsiMessage message(std::uint32_t number) const override;
  bool is_masked(std::uint32_t number) const override;
  std::int32_t wanted_trigger(std::uint32_t number) const override;
  void keep(std::uint32_t number) override;
  bool take_kept(std::uint32_t number) override;
  void adopted() override;

 private:
  Expected<void> update(std::uint32_t first, std::uint32_t end);
  Expected<void> open(std::uint32_t first, std::uint32_t end);
  Expected<void> ready_vector(std::uint32_t number);
  Expected<void> switch_trigger(std::uint32_t number);
  Expected<void> grow(std::uint32_t end);
  Expected<void> enable_host();
  bool can_grow() const;
  std::uint32_t used_end() const;

  std::vector<std::byte> bytes_;
  std::uint32_t allocated_ = 0;
};

}  // namespace vcpr::vfio
