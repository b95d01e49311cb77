#include "engine/vfio/config_space.hpp"

#include <algorithm>
#include <cstring>

namespace vcpr::vfio {

namespace {

constexpr std::uint32_t kConfigRegion = os::abi::vfio_pci_config_region_index;
/// Bits of COMMAND that a guest can set: I/O, memory, master, parity, SERR, INTx disable.
constexpr std::uint32_t kCommandBits = 0x547;

std::uint32_t ones(std::uint32_t bytes) {
  return bytes == 4 ? ~0U : (1U << (8 * bytes)) - 1;
}

using Bytes = std::span<const std::byte>;

/// Spaces are whole words, and many: byte by byte they were a tenth of a transfer.
std::uint64_t word(Bytes space, std::size_t at) {
  std::uint64_t value = 0;
  std::memcpy(&value, space.subspan(at).data(), sizeof value);
  return value;
}
constexpr std::size_t kWord = sizeof(std::uint64_t);

/// Of a mask, which has no bits beyond its end.
std::uint32_t bits_of(Bytes mask, std::uint32_t offset, std::uint32_t bytes) {
  if (offset >= mask.size()) return 0;
  return pci::get(mask, offset, std::min(bytes, static_cast<std::uint32_t>(mask.size()) - offset));
}

/// In any of the bits of `mask`.
bool differ(Bytes one, Bytes other, Bytes mask) {
  std::uint64_t bits = 0;
  for (std::size_t at = 0; at < mask.size(); at += kWord) bits |= (word(one, at) ^ word(other, at)) & word(mask, at);
  return bits != 0;
}

std::unexpected<Error> explain_difference(Bytes loaded, Bytes ours, Bytes mask) {
  std::uint32_t i = 0;
  while (((loaded[i] ^ ours[i]) & mask[i]) == std::byte{0}) ++i;
  return refuse(ErrorCode::bad_value,
                {"config space: byte ", Decimal(i), " is ", Decimal(std::to_integer<std::uint32_t>(loaded[i])),
                 ", the device has ", Decimal(std::to_integer<std::uint32_t>(ours[i])), " in bits ",
                 Decimal(std::to_integer<std::uint32_t>(mask[i]))});
}

}  // namespace

Expected<std::unique_ptr<ConfigSpace>> ConfigSpace::read(Device& device) {
  const std::uint64_t size = device.region(kConfigRegion).size;
  if (size != vmstate::kPciConfigBytes && size != vmstate::kPcieConfigBytes) {
    return refuse(ErrorCode::bad_value, {"device ", device.name(), ": config space of ", Decimal(size), " bytes"});
  }
  std::unique_ptr<ConfigSpace> config(new ConfigSpace(device));
  config->bytes_.resize(size);
  if (auto read = device.read(kConfigRegion, 0, config->bytes_); !read) return std::unexpected(std::move(read.error()));
  auto capabilities = walk_capabilities(config->bytes_);
  if (!capabilities) {
    capabilities.error().text = "device " + device.name() + ": " + capabilities.error().text;
    return std::unexpected(std::move(capabilities.error()));
  }
  config->capabilities_ = std::move(*capabilities);
  if (auto counts = config->check_counts(); !counts) return std::unexpected(std::move(counts.error()));
  config->set_masks();
  return config;
}

Expected<void> ConfigSpace::check_counts() const {
  const auto compare_count = [&](std::string_view kind, std::uint32_t capability, IrqIndex index) -> Expected<void> {
    const std::uint32_t count = device_.irq(index).count;
    if (capability == count) return {};
    return refuse(ErrorCode::bad_value, {"device ", device_.name(), ": ", kind, " for ", Decimal(capability),
                                         " vectors, the kernel says ", Decimal(count)});
  };
  if (auto same = compare_count("MSI", msi() ? msi()->vectors : 0, IrqIndex::msi); !same) return same;
  return compare_count("MSI-X", msix() ? msix()->vectors : 0, IrqIndex::msix);
}

bool ConfigSpace::is_express() const {
  return bytes_.size() == static_cast<std::size_t>(vmstate::kPcieConfigBytes);
}

void ConfigSpace::compare(std::uint32_t offset, std::uint32_t bytes, std::uint32_t mask) {
  pci::put(compared_, offset, mask, bytes);
}

void ConfigSpace::set_masks() {
  pci::put(writable_, pci::kCommand, kCommandBits, 2);
  pci::put(writable_, pci::kCacheLineSize, 0xff, 1);
  pci::put(writable_, pci::kInterruptLine, 0xff, 1);
  compare(pci::kVendor, 4);
  compare(pci::kStatus, 2, pci::kStatusCapabilities);
  compare(pci::kRevision, 4);
  compare(pci::kHeaderType, 1);
  compare(pci::kSubsystem, 4);
  compare(pci::kCapabilityList, 1);
  compare(pci::kInterruptPin, 1);
  for (const std::uint32_t offset : capabilities_.offsets) compare(offset, 2);
  set_bar_masks();
  set_interrupt_masks();
}

/// The size of a region says which address bits there are; the host's own addresses are hidden.
void ConfigSpace::set_bar_masks() {
  for (std::uint32_t bar = 0; bar < pci::kBars; ++bar) {
    const std::uint32_t place = pci::kBar0 + 4 * bar;
    if (is_upper_half(bar)) {
      const std::uint64_t size = device_.region(bar - 1).size;
      const auto address_bits = static_cast<std::uint32_t>(~(size - 1) >> 32);
      pci::put(emulated_, place, ~0U, 4);
      pci::put(writable_, place, size == 0 ? 0 : address_bits, 4);
      compare(place, 4, size == 0 ? ~0U : ~address_bits);
      pci::put(bytes_, place, 0, 4);
      continue;
    }
    const std::uint32_t host = pci::get(bytes_, place, 4);
    const bool is_io = (host & pci::kBarIo) != 0;
    const std::uint32_t kind = is_io ? pci::kBarIoBits : pci::kBarMemoryBits;
    is_wide_[bar] = !is_io && (host & pci::kBarWide) != 0 && bar + 1 < pci::kBars;
    const std::uint64_t size = device_.region(bar).size;
    const std::uint32_t address_bits = size == 0 ? 0 : static_cast<std::uint32_t>(~(size - 1)) & ~kind;
    pci::put(emulated_, place, ~0U, 4);
    pci::put(writable_, place, address_bits, 4);
    compare(place, 4, ~address_bits);
    pci::put(bytes_, place, size == 0 ? 0 : host & kind, 4);
  }
  pci::put(emulated_, pci::kRom, ~0U, 4);
  pci::put(bytes_, pci::kRom, 0, 4);
}

/// What the host has enabled is no business of the guest's: one that starts afresh sees it off, one that arrives brings
/// its own.
void ConfigSpace::set_interrupt_masks() {
  if (msi()) {
    const std::uint32_t control = msi()->offset + 2;
    for (std::uint32_t byte = control; byte < msi()->data() + 2; ++byte) emulated_[byte] = std::byte{0xff};
    constexpr std::uint32_t kGuests = pci::kMsiEnable | pci::kMsiVectorsEnabled;
    pci::put(writable_, control, kGuests, 2);
    compare(control, 2, ~kGuests);
    pci::put(bytes_, control, pci::get(bytes_, control, 2) & ~kGuests, 2);
    pci::put(writable_, msi()->offset + 4, ~3U, 4);
    if (msi()->wide) pci::put(writable_, msi()->offset + 8, ~0U, 4);
    pci::put(writable_, msi()->data(), ~0U, 2);
    if (msi()->masks) pci::put(writable_, msi()->mask(), ones(4), 4);
  }
  if (msix()) {
    const std::uint32_t control = msix()->offset + 2;
    for (std::uint32_t i = 2; i < MsixCapability::kBytes; ++i) emulated_[msix()->offset + i] = std::byte{0xff};
    pci::put(writable_, control, pci::kMsixEnable | pci::kMsixMaskAll, 2);
    compare(control, 2, ~std::uint32_t{pci::kMsixEnable | pci::kMsixMaskAll});
    compare(msix()->offset + 4, 4);
    compare(msix()->offset + 8, 4);
    pci::put(bytes_, control, pci::get(bytes_, control, 2) & pci::kMsixTableSize, 2);
  }
}

std::uint32_t ConfigSpace::read(std::uint32_t offset, std::uint32_t bytes) const {
  if (offset >= size() || bytes > size() - offset) return ones(bytes);
  const std::uint32_t emulated = bits_of(emulated_, offset, bytes);
  const std::uint32_t ours = pci::get(bytes_, offset, bytes) & emulated;
  if (emulated == ones(bytes)) return ours;
  std::array<std::byte, 4> buffer{};
  const std::span<std::byte> answer = std::span(buffer).first(bytes);
  const bool answered = device_.read(kConfigRegion, offset, answer).has_value();
  const std::uint32_t theirs = answered ? pci::get(answer, 0, bytes) : ones(bytes);
  return ours | (theirs & ~emulated);
}

Expected<void> ConfigSpace::write(std::uint32_t offset, std::uint32_t value, std::uint32_t bytes) {
  if (offset >= size() || bytes > size() - offset) {
    return refuse(ErrorCode::bad_value,
                  {"device ", device_.name(), ": write at byte ", Decimal(offset), " beyond config space"});
  }
  const std::uint32_t writable = bits_of(writable_, offset, bytes);
  pci::put(bytes_, offset, (pci::get(bytes_, offset, bytes) & ~writable) | (value & writable), bytes);
  if (bits_of(emulated_, offset, bytes) == ones(bytes)) return {};
  std::array<std::byte, 4> buffer{};
  const std::span<std::byte> told = std::span(buffer).first(bytes);
  pci::put(told, 0, value, bytes);
  return device_.write(kConfigRegion, offset, told);
}

bool ConfigSpace::is_msi_enabled() const {
  return msi() && (pci::get(bytes_, msi()->offset + 2, 2) & pci::kMsiEnable) != 0;
}

std::uint32_t ConfigSpace::msi_vectors() const {
  const std::uint32_t control = pci::get(bytes_, msi()->offset + 2, 2);
  return std::min(1U << ((control & pci::kMsiVectorsEnabled) >> 4), msi()->vectors);
}

/// The device fills in the vector's number where the guest left room for it.
kvm::MsiMessage ConfigSpace::msi_message(std::uint32_t vector) const {
  std::uint64_t address = pci::get(bytes_, msi()->offset + 4, 4);
  if (msi()->wide) address |= std::uint64_t{pci::get(bytes_, msi()->offset + 8, 4)} << 32;
  const std::uint32_t data = pci::get(bytes_, msi()->data(), 2);
  return {.address = address, .data = (data & ~(msi_vectors() - 1)) | vector};
}

bool ConfigSpace::is_msi_masked(std::uint32_t vector) const {
  return msi()->masks && (pci::get(bytes_, msi()->mask(), 4) >> vector & 1) != 0;
}

bool ConfigSpace::is_msix_enabled() const {
  return msix() && (pci::get(bytes_, msix()->offset + 2, 2) & pci::kMsixEnable) != 0;
}

bool ConfigSpace::is_msix_masked() const {
  return (pci::get(bytes_, msix()->offset + 2, 2) & pci::kMsixMaskAll) != 0;
}

std::optional<std::uint64_t> ConfigSpace::bar_address(std::uint32_t bar) const {
  const std::uint64_t size = device_.region(bar).size;
  const std::uint32_t place = pci::kBar0 + 4 * bar;
  const std::uint32_t low = pci::get(bytes_, place, 4);
  if (size == 0 || is_upper_half(bar) || (low & pci::kBarIo) != 0 || !decodes_memory()) return std::nullopt;
  const std::uint64_t high = is_wide_[bar] ? std::uint64_t{pci::get(bytes_, place + 4, 4)} << 32 : 0;
  const std::uint64_t address = high | (low & ~pci::kBarMemoryBits);
  const std::uint64_t limit = is_wide_[bar] ? ~std::uint64_t{0} : ~std::uint32_t{0};
  // A guest that sizes a BAR leaves ones in it; nothing is decoded there, or at 0.
  if (address == 0 || limit - address < size) return std::nullopt;
  return address;
}

Expected<void> ConfigSpace::check(std::span<const std::byte> loaded) const {
  if (loaded.size() != bytes_.size()) {
    return refuse(ErrorCode::bad_value, {"config space of ", Decimal(std::uint64_t{loaded.size()}),
                                         " bytes, the device has ", Decimal(size())});
  }
  if (differ(loaded, bytes_, compared_)) return explain_difference(loaded, bytes_, compared_);
  if (msi()) {
    const std::uint32_t control = pci::get(loaded, msi()->offset + 2, 2);
    const std::uint32_t vectors = 1U << ((control & pci::kMsiVectorsEnabled) >> 4);
    if (vectors > msi()->vectors) {
      return refuse(ErrorCode::bad_value, {"config space: MSI with ", Decimal(vectors),
                                           " vectors enabled, the device has ", Decimal(msi()->vectors)});
    }
  }
  return {};
}

void ConfigSpace::adopt(std::span<const std::byte> loaded) {
  for (std::size_t at = 0; at < kRuledBytes; at += kWord) {
    const std::uint64_t writable = word(writable_, at);
    const std::uint64_t adopted = (word(bytes_, at) & ~writable) | (word(loaded, at) & writable);
    std::memcpy(std::span(bytes_).subspan(at).data(), &adopted, kWord);
  }
}

}  // namespace vcpr::vfio
