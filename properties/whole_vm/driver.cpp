#include "properties/whole_vm/driver.hpp"

#include <array>
#include <cstring>

#include "engine/vfio/pci_registers.hpp"

namespace vcpr::whole_vm {

namespace {

namespace pci = vfio::pci;

constexpr std::uint64_t kMessageAddress = 0xfee00000;
constexpr std::uint64_t kBarStride = 0x1000000;
constexpr std::uint32_t kMsixControl = 12;  // of an entry

Expected<void> switch_message(vfio::PciDevice& device, std::uint32_t capability, std::uint32_t bit, bool on) {
  const std::uint32_t at = find_capability(device, capability);
  const std::uint32_t control = device.read_config(at + 2, 2);
  return device.write_config(at + 2, on ? control | bit : control & ~bit, 2);
}

Expected<void> enable_msi(vfio::PciDevice& device, std::uint8_t vector) {
  const std::uint32_t at = find_capability(device, pci::kMsi);
  const bool is_wide = (device.read_config(at + 2, 2) & pci::kMsiWide) != 0;
  auto done = device.write_config(at + 4, kMessageAddress, 4);
  if (done && is_wide) done = device.write_config(at + 8, 0, 4);
  if (done) done = device.write_config(at + (is_wide ? 12 : 8), vector, 2);
  if (done) done = switch_message(device, pci::kMsi, pci::kMsiEnable, true);
  return done;
}

/// Where the MSI-X table is: a BAR and an offset in it, as the capability has them.
std::uint32_t find_table(vfio::PciDevice& device) {
  return device.read_config(find_capability(device, pci::kMsix) + 4, 4);
}

Expected<void> write_entry(vfio::PciDevice& device, std::uint32_t table, std::uint32_t vector, std::uint32_t offset,
                           std::uint32_t value) {
  std::array<std::byte, 4> bytes{};
  std::memcpy(bytes.data(), &value, 4);
  return device.write_bar(table & 7, (table & ~7u) + std::uint64_t{vector} * kMsixEntryBytes + offset, bytes);
}

Expected<void> enable_msix(vfio::PciDevice& device, std::uint8_t first_vector, std::uint32_t count) {
  Expected<void> done = switch_message(device, pci::kMsix, pci::kMsixEnable, true);
  const std::uint32_t table = find_table(device);
  for (std::uint32_t i = 0; done && i < count; ++i) {
    done = write_entry(device, table, i, 0, kMessageAddress);
    if (done) done = write_entry(device, table, i, 4, 0);
    if (done) done = write_entry(device, table, i, 8, first_vector + i);
    if (done) done = write_entry(device, table, i, kMsixControl, 0);
  }
  return done;
}

}  // namespace

std::uint32_t find_capability(vfio::PciDevice& device, std::uint32_t wanted) {
  std::uint32_t at = device.read_config(pci::kCapabilityList, 1);
  for (int left = 48; at != 0 && left != 0; --left) {
    if (device.read_config(at, 1) == wanted) return at;
    at = device.read_config(at + 1, 1);
  }
  return 0;
}

std::uint64_t bar_address(std::uint32_t number, std::uint32_t bar) {
  return kFirstBar + (number * pci::kBars + bar) * kBarStride;
}

Expected<void> place_device(vfio::PciDevice& device, std::uint32_t number) {
  for (std::uint32_t bar = 0; bar < pci::kBars; ++bar) {
    const std::uint64_t address = bar_address(number, bar);
    if (device.device().region(bar).size == 0) continue;
    if (auto done = device.write_config(pci::kBar0 + bar * 4, static_cast<std::uint32_t>(address), 4); !done)
      return done;
  }
  return device.write_config(pci::kCommand, pci::kCommandMemory | pci::kCommandMaster, 2);
}

Expected<void> turn_on_interrupts(vfio::PciDevice& device, const DeviceShape& shape, std::uint32_t number,
                                  std::uint8_t first_vector) {
  switch (shape.kind) {
    case Interrupt::intx:
      return device.set_intx_route({.enabled = true, .gsi = kFirstPin + number});
    case Interrupt::msi:
      return enable_msi(device, first_vector);
    case Interrupt::msix:
      break;
  }
  return enable_msix(device, first_vector, shape.vectors);
}

Expected<void> turn_off_interrupts(vfio::PciDevice& device, const DeviceShape& shape) {
  switch (shape.kind) {
    case Interrupt::intx:
      return device.set_intx_route({});
    case Interrupt::msi:
      return switch_message(device, pci::kMsi, pci::kMsiEnable, false);
    case Interrupt::msix:
      break;
  }
  return switch_message(device, pci::kMsix, pci::kMsixEnable, false);
}

Expected<void> mask_msix(vfio::PciDevice& device, std::uint32_t vector, bool masked) {
  return write_entry(device, find_table(device), vector, kMsixControl, masked ? 1 : 0);
}

}  // namespace vcpr::whole_vm
