#include "properties/machine/pci/config_space.hpp"

#include <algorithm>
#include <array>

#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

using os::Errno;

namespace {

// linux/pci_regs.h
constexpr std::uint32_t kCommand = 0x04;
constexpr std::uint32_t kStatus = 0x06;
constexpr std::uint32_t kFirstBar = 0x10;
constexpr std::uint32_t kCapabilityList = 0x34;
constexpr std::uint32_t kInterruptLine = 0x3c;
constexpr std::uint32_t kCommandMemory = 0x2;
constexpr std::uint32_t kCommandMaster = 0x4;
constexpr std::uint32_t kCommandNoIntx = 0x400;
constexpr std::uint32_t kStatusIntx = 0x8;
constexpr std::uint32_t kStatusCapabilities = 0x10;
constexpr std::uint32_t kDeviceCapabilities = 4;
constexpr std::uint32_t kDeviceControl = 8;
constexpr std::uint32_t kCanFlr = 0x1000'0000;
constexpr std::uint32_t kStartFlr = 0x8000;
enum Capability : std::uint8_t { kPower = 1, kMsi = 5, kExpress = 16, kMsix = 17 };

void put(PciFunction& function, std::uint32_t offset, std::uint32_t value, std::uint32_t bytes) {
  for (std::uint32_t i = 0; i < bytes; ++i) function.config[offset + i] = static_cast<std::byte>(value >> (8 * i));
}

/// Puts a capability in front of the list.
void add_capability(PciFunction& function, std::uint8_t offset, Capability id) {
  if (offset == 0) return;
  put(function, offset, id, 1);
  put(function, offset + 1, static_cast<std::uint32_t>(function.config[kCapabilityList]), 1);
  put(function, kCapabilityList, offset, 1);
}

void fill_capabilities(PciFunction& function) {
  const PciModel& model = function.model;
  put(function, kCapabilityList, 0, 1);
  add_capability(function, model.express, kExpress);
  add_capability(function, model.msix, kMsix);
  add_capability(function, model.msi, kMsi);
  add_capability(function, model.power, kPower);
  if (model.msi != 0) put(function, model.msi + 2, model.msi_masks ? 0x180 : 0x80, 2);
  if (model.power != 0) put(function, model.power + 2, 3, 2);
  if (model.msix != 0) {
    put(function, model.msix + 2, model.msix_vectors - 1, 2);
    put(function, model.msix + 4, model.msix_bar, 4);
    put(function, model.msix + 8, model.pending_bits | model.msix_bar, 4);
  }
  if (model.express != 0) {
    put(function, model.express + 2, 2, 2);
    put(function, model.express + kDeviceCapabilities, model.can_reset ? kCanFlr : 0, 4);
  }
}

/// Which bits of the byte a write changes.
std::uint8_t writable(const PciModel& model, std::uint32_t offset) {
  if (offset == kCommand) return 0x47;
  if (offset == kCommand + 1) return 0x05;
  if (offset == kInterruptLine || offset == 0x0c) return 0xff;
  if (offset >= kFirstBar && offset < kFirstBar + 4 * kBars) {
    const std::uint32_t bar = (offset - kFirstBar) / 4;
    const bool upper_half = bar > 0 && model.bars[bar - 1].is_wide;
    if (upper_half) return 0xff;
    if (model.bars[bar].bytes == 0) return 0;
    return static_cast<std::uint8_t>(~(model.bars[bar].bytes - 1) >> (8 * (offset % 4)));
  }
  if (model.msi != 0 && offset == model.msi + 2u) return 0x01;
  const std::uint32_t msi_end = model.msi + (model.msi_masks ? 0x14u : 0x0eu);
  if (model.msi != 0 && offset >= model.msi + 4u && offset < msi_end) return offset == model.msi + 4u ? 0xfc : 0xff;
  if (model.power != 0 && offset == model.power + 4u) return 0x03;
  if (model.express != 0 && offset == model.express + kDeviceControl) return 0xff;
  if (model.express != 0 && offset == model.express + kDeviceControl + 1) return 0x7f;
  return 0;
}

/// The command register was written: DisINTx is virtual (vfio_basic_config_write).
void apply_command(PciFunction& function) {
  VfioDevice& device = *function.device;
  const bool disabled = (read_config_word(function, kCommand) & kCommandNoIntx) != 0;
  if (disabled == device.interrupts.intx_disabled) return;
  device.interrupts.intx_disabled = disabled;
  disabled ? intx_mask(device) : intx_unmask(device);
}

void record_command(const PciFunction& function, std::uint16_t before) {
  const std::uint16_t after = read_command(function);
  if (after == before || function.device == nullptr) return;
  Machine::Impl& machine = function.machine;
  machine.device_changes.append(
      machine.arena, {machine.current_call, function.device->number, DeviceChangeKind::command, before, after});
}

bool touches(std::uint64_t offset, std::size_t bytes, std::uint64_t place) {
  return place >= offset && place - offset < bytes;
}

}  // namespace

bool PciFunction::decodes_memory() const {
  return (read_config_word(*this, kCommand) & kCommandMemory) != 0;
}
bool PciFunction::is_bus_master() const {
  return (read_config_word(*this, kCommand) & kCommandMaster) != 0;
}

void fill_config(PciFunction& function) {
  const PciModel& model = function.model;
  put(function, 0x00, model.vendor, 2);
  put(function, 0x02, model.device, 2);
  const std::uint16_t before = read_command(function);
  put(function, kCommand, 0x3, 2);
  record_command(function, before);
  put(function, kStatus, kStatusCapabilities, 2);
  put(function, 0x08, model.class_and_revision & 0xff, 1);
  put(function, 0x0a, model.class_and_revision >> 16, 2);
  std::uint32_t next = 0xe000'0000;
  for (std::uint32_t bar = 0; bar < kBars; ++bar) {
    const Bar& each = model.bars[bar];
    if (each.bytes == 0) continue;
    next = (next + each.bytes - 1) & ~(each.bytes - 1);
    put(function, kFirstBar + 4 * bar, each.is_memory ? next | (each.is_wide ? 4 : 0) : 0xc001, 4);
    next += each.bytes;
  }
  put(function, kInterruptLine, 0x010b, 2);  // line 11, pin A
  fill_capabilities(function);
}

std::uint32_t read_config_word(const PciFunction& function, std::uint32_t offset) {
  return static_cast<std::uint32_t>(function.config[offset]) | static_cast<std::uint32_t>(function.config[offset + 1])
                                                                   << 8;
}

std::uint16_t read_command(const PciFunction& function) {
  return static_cast<std::uint16_t>(read_config_word(function, kCommand));
}

os::Result<std::size_t> read_config(PciFunction& function, std::span<std::byte> buffer, std::uint64_t offset) {
  const std::uint64_t end = function.model.config_bytes();
  if (offset >= end || buffer.size() > end - offset) return std::unexpected(Errno::efault);
  put(function, kStatus, kStatusCapabilities | (function.line ? kStatusIntx : 0), 2);
  std::copy_n(function.config + offset, buffer.size(), buffer.begin());
  return buffer.size();
}

os::Result<std::size_t> write_config(PciFunction& function, std::span<const std::byte> bytes, std::uint64_t offset) {
  const std::uint64_t end = function.model.config_bytes();
  if (offset >= end || bytes.size() > end - offset) return std::unexpected(Errno::efault);
  const std::uint16_t before = read_command(function);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::byte& kept = function.config[offset + i];
    const auto mask = static_cast<std::byte>(writable(function.model, static_cast<std::uint32_t>(offset + i)));
    kept = (kept & ~mask) | (bytes[i] & mask);
  }
  record_command(function, before);
  if (touches(offset, bytes.size(), kCommand + 1)) apply_command(function);
  const std::uint32_t control = function.model.express + kDeviceControl;
  if (function.model.express == 0 || !touches(offset, bytes.size(), control + 1)) return bytes.size();
  const bool wants_reset = (bytes[control + 1 - offset] & std::byte{kStartFlr >> 8}) != std::byte{0};
  if (wants_reset && function.model.can_reset) reset_function(function);
  return bytes.size();
}

}  // namespace vcpr::machine
