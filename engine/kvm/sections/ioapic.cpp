#include "engine/kvm/sections/ioapic.hpp"

#include <algorithm>

namespace vcpr::kvm {

void read_chip(const os::abi::kvm_ioapic_state& chip, Ioapic& ioapic) {
  ioapic.id = static_cast<std::uint8_t>(chip.id);
  ioapic.ioregsel = static_cast<std::uint8_t>(chip.ioregsel);
  ioapic.irr = chip.irr;
  std::ranges::copy(chip.redirtbl, ioapic.ioredtbl.begin());
}

os::abi::kvm_ioapic_state chip_of(const Ioapic& ioapic) {
  os::abi::kvm_ioapic_state chip;
  chip.base_address = kIoapicAddress;
  chip.ioregsel = ioapic.ioregsel;
  chip.id = ioapic.id;
  chip.irr = ioapic.irr;
  std::ranges::copy(ioapic.ioredtbl, chip.redirtbl);
  return chip;
}

}  // namespace vcpr::kvm
