#include "engine/examples/demo_vm/driver.hpp"

#include <array>
#include <bit>
#include <cstring>

#include "engine/examples/demo_vm/guest.hpp"

namespace vcpr::demo {

namespace {

// PCI Local Bus Specification 3.0, chapter 6
constexpr std::uint32_t kIds = 0x00;
constexpr std::uint32_t kCommand = 0x04;
constexpr std::uint32_t kMemoryAndMaster = 0x6;
constexpr std::uint32_t kFirstBar = 0x10;
constexpr std::uint32_t kBars = 6;
constexpr std::uint32_t kCapabilities = 0x34;
constexpr std::uint32_t kMsiCapability = 0x05;
constexpr std::uint32_t kMsixCapability = 0x11;

constexpr std::uint32_t kBarWindow = 0xe000'0000;  // guest physical
constexpr std::uint32_t kBarWindowOfADevice = 0x0100'0000;
constexpr std::uint32_t kMessageAddress = 0xfee0'0000;  // APIC 0, physical, fixed
constexpr std::uint32_t kFirstGsi = 16;
constexpr std::uint32_t kLevelTriggered = 0x8000;

/// How a handler silences the pin: reads a register of BAR 0, and writes what it read to another, if there is one.
struct Silence {
  std::uint32_t ids;
  std::uint32_t read;
  std::uint32_t write;
};
constexpr std::array<Silence, 2> kSilences{{{0x11e8'1234, 0x24, 0x64}, {0x10c9'8086, 0xc0, 0}}};

Expected<void> place_bars(vfio::PciDevice& device, std::size_t position) {
  std::uint32_t next = kBarWindow + static_cast<std::uint32_t>(position) * kBarWindowOfADevice;
  for (std::uint32_t bar = 0; bar < kBars; ++bar) {
    const auto size = static_cast<std::uint32_t>(device.device().region(bar).size);
    const std::uint32_t offset = kFirstBar + bar * 4;
    const std::uint32_t kind = device.read_config(offset, 4) & 0xf;
    if (size == 0 || (kind & 1) != 0) continue;
    const std::uint32_t alignment = std::bit_ceil(std::max<std::uint32_t>(size, 4096));
    next = (next + alignment - 1) & ~(alignment - 1);
    if (auto placed = device.write_config(offset, next, 4); !placed) return placed;
    next += alignment;
    if ((kind & 6) != 4) continue;
    ++bar;
    if (auto placed = device.write_config(offset + 4, 0, 4); !placed) return placed;
  }
  return {};
}

Expected<std::uint32_t> find_capability(const vfio::PciDevice& device, std::uint32_t wanted) {
  std::uint32_t at = device.read_config(kCapabilities, 1) & ~3U;
  for (int seen = 0; at != 0 && seen < 48; ++seen) {
    if (device.read_config(at, 1) == wanted) return at;
    at = device.read_config(at + 1, 1) & ~3U;
  }
  return refuse(ErrorCode::bad_value, {"device ", device.name(), ": no such capability"});
}

Expected<void> program_msi(vfio::PciDevice& device, std::uint32_t vector) {
  constexpr std::uint32_t kHas64Bits = 0x80;
  auto at = find_capability(device, kMsiCapability);
  if (!at) return std::unexpected(at.error());
  const std::uint32_t control = device.read_config(*at + 2, 2);
  const bool is_long = (control & kHas64Bits) != 0;
  auto written = device.write_config(*at + 4, kMessageAddress, 4);
  if (written && is_long) written = device.write_config(*at + 8, 0, 4);
  if (written) written = device.write_config(*at + (is_long ? 12 : 8), vector, 2);
  if (written) written = device.write_config(*at + 2, control | 1, 2);
  return written;
}

/// As Linux does: enabled with everything masked, entries, then the mask goes.
Expected<void> program_msix(vfio::PciDevice& device, std::uint32_t first, std::uint32_t vectors) {
  constexpr std::uint32_t kEnable = 0x8000;
  constexpr std::uint32_t kMaskAll = 0x4000;
  auto at = find_capability(device, kMsixCapability);
  if (!at) return std::unexpected(at.error());
  const std::uint32_t control = device.read_config(*at + 2, 2);
  if ((control & 0x7ff) + 1 < vectors) return refuse(ErrorCode::bad_value, {device.name(), ": not so many vectors"});
  const std::uint32_t table = device.read_config(*at + 4, 4);
  auto written = device.write_config(*at + 2, control | kEnable | kMaskAll, 2);
  for (std::uint32_t i = 0; written && i < vectors; ++i) {
    const std::array<std::uint32_t, 4> entry{kMessageAddress, 0, first + i, 0};
    for (std::size_t word = 0; written && word < entry.size(); ++word)
      written = device.write_bar(table & 7, (table & ~7U) + i * 16 + word * 4,
                                 std::as_bytes(std::span(entry).subspan(word, 1)));
  }
  if (written) written = device.write_config(*at + 2, control | kEnable, 2);
  return written;
}

Expected<void> program_intx(vfio::PciDevice& device, std::size_t position, std::span<std::byte> memory) {
  const GuestMap map = guest_map();
  const std::uint32_t vector = first_vector(position);
  const std::uint32_t gsi = gsi_of(position);
  const std::uint32_t entry = vector | kLevelTriggered;
  std::memcpy(memory.subspan(map.pins + gsi * 4, 4).data(), &entry, 4);
  const std::uint32_t registers = device.read_config(kFirstBar, 4) & ~0xfU;
  for (const Silence& each : kSilences) {
    if (each.ids != device.read_config(kIds, 4)) continue;
    const std::array<std::uint32_t, 2> ack{registers + each.read, each.write == 0 ? 0 : registers + each.write};
    std::memcpy(memory.subspan(map.acks + vector * 8, 8).data(), ack.data(), 8);
  }
  return device.set_intx_route({.enabled = true, .gsi = gsi});
}

}  // namespace

std::uint32_t first_vector(std::size_t position) {
  return kFirstDeviceVector + static_cast<std::uint32_t>(position) * kMaxVectorsOfADevice;
}

std::uint32_t gsi_of(std::size_t position) {
  return kFirstGsi + static_cast<std::uint32_t>(position);
}

Expected<void> program(vfio::PciDevice& device, const DeviceOptions& options, std::size_t position,
                       std::span<std::byte> memory) {
  if (auto placed = place_bars(device, position); !placed) return placed;
  const std::uint32_t command = device.read_config(kCommand, 2);
  if (auto on = device.write_config(kCommand, command | kMemoryAndMaster, 2); !on) return on;
  switch (options.kind) {
    case InterruptKind::intx:
      return program_intx(device, position, memory);
    case InterruptKind::msi:
      return program_msi(device, first_vector(position));
    case InterruptKind::msix:
      return program_msix(device, first_vector(position), options.vectors);
  }
  return {};
}

}  // namespace vcpr::demo
