#include "engine/examples/demo_vm/bars.hpp"

#include <algorithm>

namespace vcpr::demo {

Bars::Place Bars::find(std::uint64_t address) const {
  constexpr std::uint32_t kFirstBar = 0x10;
  constexpr std::uint32_t kBars = 6;
  for (vfio::PciDevice* device : devices_) {
    for (std::uint32_t bar = 0; bar < kBars; ++bar) {
      const std::uint32_t base = device->read_config(kFirstBar + bar * 4, 4);
      const std::uint64_t size = device->device().region(bar).size;
      const std::uint64_t start = base & ~std::uint64_t{0xf};
      if ((base & 1) == 0 && address >= start && address - start < size) return {device, bar, address - start};
    }
  }
  return {};
}

void Bars::read(std::uint64_t address, std::span<std::byte> bytes) {
  std::ranges::fill(bytes, std::byte{0xff});
  if (const Place place = find(address); place.device != nullptr)
    (void)place.device->read_bar(place.bar, place.offset, bytes);
}

void Bars::write(std::uint64_t address, std::span<const std::byte> bytes) {
  if (const Place place = find(address); place.device != nullptr)
    (void)place.device->write_bar(place.bar, place.offset, bytes);
}

}  // namespace vcpr::demo
