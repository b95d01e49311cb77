#include "engine/vfio/pci_device.hpp"

#include <utility>

#include "engine/vfio/bars.hpp"
#include "engine/vfio/config_space.hpp"
#include "engine/vfio/interrupts.hpp"

namespace vcpr::vfio {

namespace {

/// Whether [offset, offset + bytes) has a byte of [first, end).
bool touches(std::uint64_t offset, std::uint64_t bytes, std::uint64_t first, std::uint64_t end) {
  return offset < end && first < offset + bytes;
}

void note(Expected<void>& first, Expected<void> result) {
  if (first && !result) first = std::move(result);
}

}  // namespace

PciDevice::PciDevice(Vm& vm, std::unique_ptr<Device> device, PciOptions options, DeviceEvents& events)
    : vm_(vm), device_(std::move(device)), options_(std::move(options)), events_(events) {}

Expected<std::unique_ptr<PciDevice>> PciDevice::realize(Vm& vm, std::unique_ptr<Device> device,
                                                        const PciOptions& options, DeviceEvents& events) {
  std::unique_ptr<PciDevice> made(new PciDevice(vm, std::move(device), options, events));
  if (auto built = made->build(); !built) return std::unexpected(std::move(built.error()));
  return made;
}

Expected<void> PciDevice::build() {
  auto config = ConfigSpace::read(*device_);
  if (!config) return std::unexpected(std::move(config.error()));
  config_ = std::move(*config);
  section.function.is_express = config_->is_express();
  section.function.msix_vectors = config_->msix() ? config_->msix()->vectors : 0;
  auto bars = Bars::map(*this);
  if (!bars) return std::unexpected(std::move(bars.error()));
  bars_ = std::move(*bars);
  interrupts_ = std::make_unique<Interrupts>(*this);
  auto ready = vm_.life.is_incoming() ? interrupts_->claim() : interrupts_->start();
  return ready ? vfio_cpr_pci_register_device(*this) : ready;
}

PciDevice::~PciDevice() {
  vfio_cpr_pci_unregister_device(*this);
  interrupts_.reset();
  bars_.reset();
}

const std::string& PciDevice::name() const {
  return device_->name();
}

std::string PciDevice::section_name() const {
  return options_.path + "/vfio-cpr-pci";
}

void PciDevice::fill_section() {
  const std::span<const std::byte> bytes = config_->bytes();
  section.function.config.assign(bytes.begin(), bytes.end());
  interrupts_->fill(section);
}

Expected<void> PciDevice::check_ours(std::string_view what) const {
  if (vm_.life.check_ours("")) return {};
  return vm_.life.check_ours(std::string(what) + " of device " + name());
}

std::uint32_t PciDevice::read_config(std::uint32_t offset, std::uint32_t bytes) const {
  return config_->read(offset, bytes);
}

Expected<void> PciDevice::write_config(std::uint32_t offset, std::uint32_t value, std::uint32_t bytes) {
  if (auto ours = check_ours("write to config space"); !ours) return ours;
  Expected<void> first = config_->write(offset, value, bytes);
  const auto written = [&](std::uint64_t begin, std::uint64_t end) { return touches(offset, bytes, begin, end); };
  if (written(pci::kCommand, pci::kCommand + 2) || written(pci::kBar0, pci::kBar0 + 4 * pci::kBars)) {
    note(first, bars_->update());
  }
  const auto& msi = config_->msi();
  const auto& msix = config_->msix();
  if ((msi && written(msi->offset, msi->end())) ||
      (msix && written(msix->offset, msix->offset + MsixCapability::kBytes))) {
    note(first, interrupts_->update());
  }
  return first;
}

/// The part of the MSI-X table or pending bits that begins where the access does. Accesses across an end of them are
/// the device's.
PciDevice::Trapped PciDevice::trapped(std::uint32_t bar, std::uint64_t offset, std::uint64_t bytes) const {
  const auto& msix = config_->msix();
  if (!msix) return Trapped::device;
  const auto within = [&](std::uint32_t in, std::uint64_t first, std::uint64_t size) {
    return bar == in && offset >= first && offset - first < size && bytes <= size - (offset - first);
  };
  if (within(msix->table_bar, msix->table_offset, msix->table_bytes())) return Trapped::table;
  if (within(msix->pending_bar, msix->pending_offset, msix->pending_bytes())) return Trapped::pending;
  return Trapped::device;
}

Expected<void> PciDevice::read_bar(std::uint32_t bar, std::uint64_t offset, std::span<std::byte> bytes) {
  if (auto ours = check_ours("access to a BAR"); !ours) return ours;
  const auto& msix = config_->msix();
  switch (trapped(bar, offset, bytes.size())) {
    case Trapped::table:
      interrupts_->msix()->read_table(offset - msix->table_offset, bytes);
      return {};
    case Trapped::pending:
      interrupts_->msix()->read_pending(offset - msix->pending_offset, bytes);
      return {};
    case Trapped::device:
      break;
  }
  Expected<void> first = device_->read(bar, offset, bytes);
  note(first, interrupts_->intx().guest_accessed());
  return first;
}

Expected<void> PciDevice::write_bar(std::uint32_t bar, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (auto ours = check_ours("access to a BAR"); !ours) return ours;
  switch (trapped(bar, offset, bytes.size())) {
    case Trapped::table:
      return interrupts_->msix()->write_table(offset - config_->msix()->table_offset, bytes);
    case Trapped::pending:
      return {};
    case Trapped::device:
      break;
  }
  Expected<void> first = device_->write(bar, offset, bytes);
  note(first, interrupts_->intx().guest_accessed());
  return first;
}

Expected<void> PciDevice::set_intx_route(const IntxRoute& route) {
  return interrupts_->set_route(route, vm_.life.check_ours("").has_value());
}

/// As after power-on for the guest: no message interrupts, no BARs, no bus master. The device's own registers are its
/// reset method's to put back.
Expected<void> PciDevice::reset() {
  if (auto ours = check_ours("reset"); !ours) return ours;
  if (!device_->can_reset()) return {};
  Expected<void> first = interrupts_->stop();
  note(first, config_->write(pci::kCommand, 0, 2));
  note(first, device_->reset());
  for (std::uint32_t bar = 0; bar < pci::kBars; ++bar) note(first, config_->write(pci::kBar0 + 4 * bar, 0, 4));
  if (config_->msi()) note(first, config_->write(config_->msi()->offset + 2, 0, 2));
  if (config_->msix()) {
    note(first, config_->write(config_->msix()->offset + 2, 0, 2));
    interrupts_->msix()->reset_table();
  }
  note(first, bars_->update());
  note(first, interrupts_->update());
  return first;
}

}  // namespace vcpr::vfio
