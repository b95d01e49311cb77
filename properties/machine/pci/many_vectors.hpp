// A made-up controller with as many MSI-X vectors as PCI has, for what grows with their number.
#pragma once

#include "properties/machine/pci/function.hpp"

namespace vcpr::machine {

/// Has no state but what is pending. It neither drives its line nor sends MSI.
class ManyVectors final : public PciFunction {
 public:
  using PciFunction::PciFunction;

  /// In BAR 0: a 32-bit write of N sends message N, or keeps it pending while MSI-X is off.
  static constexpr std::uint64_t kDoorbell = 0x1000;

  std::uint64_t read_register(std::uint32_t, std::uint64_t, std::uint32_t) override { return 0; }
  void write_register(std::uint32_t bar, std::uint64_t offset, std::uint64_t value, std::uint32_t bytes) override;
  void reset_registers() override {}
};

}  // namespace vcpr::machine
