// The guest's accesses to device memory, routed to the device whose BAR lies there.
#pragma once

#include <vector>

#include "engine/examples/demo_vm/vcpu.hpp"
#include "engine/vfio/pci_device.hpp"

namespace vcpr::demo {

class Bars final : public DeviceMemory {
 public:
  /// Devices are borrowed.
  void add(vfio::PciDevice& device) { devices_.push_back(&device); }

  /// Ones where no BAR lies, or the device does not answer.
  void read(std::uint64_t address, std::span<std::byte> bytes) override;
  void write(std::uint64_t address, std::span<const std::byte> bytes) override;

 private:
  struct Place {
    vfio::PciDevice* device = nullptr;
    std::uint32_t bar = 0;
    std::uint64_t offset = 0;
  };
  Place find(std::uint64_t address) const;

  std::vector<vfio::PciDevice*> devices_;
};

}  // namespace vcpr::demo
