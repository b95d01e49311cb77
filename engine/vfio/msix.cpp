#include "engine/vfio/msix.hpp"

#include <algorithm>

#include "engine/vfio/config_space.hpp"
#include "engine/vfio/pci_device.hpp"
#include "engine/vfio/vector_entries.hpp"

namespace vcpr::vfio {

namespace {

constexpr std::uint32_t kEntryBytes = MsixCapability::kEntryBytes;
constexpr std::uint32_t kData = 8;
constexpr std::uint32_t kControl = 12;
constexpr std::uint32_t kMasked = 1;

bool is_masked_in(std::span<const std::byte> table, std::uint32_t number) {
  return (pci::get(table, number * kEntryBytes + kControl, 4) & kMasked) != 0;
}

}  // namespace

Msix::Msix(PciDevice& device, std::uint32_t count)
    : MessageInterrupts(device, IrqIndex::msix, count, device.vm().kvm != nullptr && device.options().kvm_msix) {
  reset_table();
}

void Msix::reset_table() {
  bytes_.assign(std::size_t{count()} * kEntryBytes + (count() + 7) / 8, std::byte{0});
  for (std::uint32_t number = 0; number < count(); ++number) {
    pci::put(bytes_, number * kEntryBytes + kControl, kMasked, 4);
  }
}

kvm::MsiMessage Msix::message(std::uint32_t number) const {
  const std::uint32_t entry = number * kEntryBytes;
  return {.address = pci::get(bytes_, entry, 4) | std::uint64_t{pci::get(bytes_, entry + 4, 4)} << 32,
          .data = pci::get(bytes_, entry + kData, 4)};
}

bool Msix::is_masked(std::uint32_t number) const {
  return function.config().is_msix_masked() || is_masked_in(bytes_, number);
}

void Msix::keep(std::uint32_t number) {
  bytes_[std::size_t{count()} * kEntryBytes + number / 8] |= std::byte{1} << (number % 8);
}

bool Msix::take_kept(std::uint32_t number) {
  std::byte& bits = bytes_[std::size_t{count()} * kEntryBytes + number / 8];
  const std::byte bit = std::byte{1} << (number % 8);
  if ((bits & bit) == std::byte{0}) return false;
  bits &= ~bit;
  return true;
}

std::int32_t Msix::wanted_trigger(std::uint32_t number) const {
  return all[number].trigger(is_masked(number));
}

bool Msix::can_grow() const {
  return (function.device().irq(IrqIndex::msix).flags & os::abi::vfio_irq_info_noresize) == 0;
}

std::uint32_t Msix::used_end() const {
  std::uint32_t end = count();
  while (end > 0 && !all[end - 1].is_used()) --end;
  return end;
}

Expected<void> Msix::enable() {
  on = true;
  allocated_ = 0;
  auto done = open(0, count());
  for (std::uint32_t number = 0; done && number < count(); ++number) done = all[number].attach();
  if (done) done = enable_host();
  if (!done) {
    (void)disable();
    return done;
  }
  for (std::uint32_t number = 0; number < count(); ++number) send_kept(number);
  return {};
}

/// A device that can grow is enabled with no vector first, so that the kernel allocates those only that are used; the
/// other gets the block at once.
Expected<void> Msix::enable_host() {
  const std::uint32_t end = used_end();
  if (can_grow() || end == 0) {
    constexpr std::array<std::int32_t, 1> kNoVector{-1};
    if (auto enabled = function.device().set_triggers(IrqIndex::msix, 0, kNoVector); !enabled) return enabled;
    host_on = true;
  }
  allocated_ = std::max(end, 1U);
  return end == 0 ? Expected<void>() : arm(end);
}

/// Makes vectors ready that are unmasked for the first time, up to their routes.
Expected<void> Msix::open(std::uint32_t first, std::uint32_t end) {
  Expected<void> done;
  for (std::uint32_t number = first; done && number < end; ++number) {
    Vector& each = all[number];
    if (is_masked(number)) continue;
    if (!each.is_used()) {
      done = each.open(message(number), by_kvm);
    } else if (each.message() != message(number)) {
      each.change_message(message(number));
    }
  }
  return done ? commit() : done;
}

Expected<void> Msix::switch_trigger(std::uint32_t number) {
  Vector& each = all[number];
  const std::int32_t trigger = wanted_trigger(number);
  if (each.armed() == trigger) return {};
  if (number >= allocated_ && !can_grow()) return grow(number + 1);
  auto told = function.device().set_triggers(IrqIndex::msix, number, {&trigger, 1});
  each.set_armed(told ? trigger : -1);
  allocated_ = std::max(allocated_, number + 1);
  return told;
}

/// The kernel cannot add a vector while MSI-X is on: the block is set up again. The host drops what the device sends
/// in between, so every vector that was there before is signalled once.
Expected<void> Msix::grow(std::uint32_t end) {
  std::vector<Vector*> before;
  for (Vector& each : all) {
    if (each.armed() >= 0) before.push_back(&each);
  }
  if (auto off = function.device().disable_irqs(IrqIndex::msix); !off) return off;
  host_on = false;
  auto grown = arm(end);
  if (grown) {
    allocated_ = end;
  } else if (allocated_ > 0) {
    (void)arm(allocated_);
  }
  for (Vector* each : before) {
    if (host_on) each->signal();
  }
  return grown;
}

Expected<void> Msix::ready_vector(std::uint32_t number) {
  if (!all[number].is_used()) return {};
  if (auto attached = all[number].attach(); !attached) return attached;
  if (auto switched = switch_trigger(number); !switched) return switched;
  send_kept(number);
  return {};
}

Expected<void> Msix::update(std::uint32_t first, std::uint32_t end) {
  if (!on) return {};
  Expected<void> result = open(first, end);
  for (std::uint32_t number = first; result && number < end; ++number) result = ready_vector(number);
  if (!result) close_unarmed();
  return result;
}

Expected<void> Msix::update_all() {
  return update(0, count());
}

void Msix::read_table(std::uint64_t offset, std::span<std::byte> bytes) const {
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), bytes.begin());
}

Expected<void> Msix::write_table(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
  const auto first = static_cast<std::uint32_t>(offset / kEntryBytes);
  return update(first, static_cast<std::uint32_t>((offset + bytes.size() - 1) / kEntryBytes) + 1);
}

void Msix::read_pending(std::uint64_t offset, std::span<std::byte> bytes) const {
  for (std::byte& each : bytes) {
    const std::uint64_t place = std::uint64_t{count()} * kEntryBytes + offset++;
    each = place < bytes_.size() ? bytes_[place] : std::byte{0};
  }
}

/// What a vector had when the old process let go says how far the kernel's block reaches.
void Msix::adopted() {
  allocated_ = std::max(used_end(), 1U);
}

Expected<void> Msix::check_loaded(const vmstate::VfioCprPci& section, bool enabled, bool all_masked) const {
  const std::span<const std::byte> loaded = section.function.msix;
  if (loaded.size() != bytes_.size()) {
    return refuse(ErrorCode::bad_value, {"MSI-X table and pending bits of ", Decimal(std::uint64_t{loaded.size()}),
                                         " bytes, the device has ", Decimal(std::uint64_t{bytes_.size()})});
  }
  if (count() % 8 != 0 && (loaded.back() >> (count() % 8)) != std::byte{0}) {
    return refuse(ErrorCode::bad_value, {"MSI-X: a pending bit beyond vector ", Decimal(count() - 1)});
  }
  if (!enabled) return {};
  if (auto none = check_no_vector_entries(function, count()); !none) return none;
  for (std::uint32_t number = 0; number < count(); ++number) {
    const bool needed = !all_masked && !is_masked_in(loaded, number);
    if (auto whole = check_vector_entries(function, number, needed, by_kvm); !whole) return whole;
  }
  return {};
}

}  // namespace vcpr::vfio
