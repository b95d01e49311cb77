#include "properties/machine/pci/many_vectors.hpp"

#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

void ManyVectors::write_register(std::uint32_t bar, std::uint64_t offset, std::uint64_t value, std::uint32_t bytes) {
  if (bar != 0 || offset != kDoorbell || bytes != 4 || value >= model.msix_vectors) return;
  const auto vector = static_cast<std::uint32_t>(value);
  device->interrupts.mode == IrqMode::msix ? raise_message(*this, vector) : keep_message(*this, vector);
}

}  // namespace vcpr::machine
