#include "engine/vfio/bars.hpp"

#include "engine/os/abi.hpp"
#include "engine/vfio/config_space.hpp"
#include "engine/vfio/pci_device.hpp"

namespace vcpr::vfio {

namespace {

constexpr std::uint64_t kPage = memory::kPageBytes;

constexpr std::uint64_t round_down(std::uint64_t value) {
  return value & ~(kPage - 1);
}
constexpr std::uint64_t round_up(std::uint64_t value) {
  return round_down(value + kPage - 1);
}

}  // namespace

Expected<std::unique_ptr<Bars>> Bars::map(PciDevice& device) {
  std::unique_ptr<Bars> bars(new Bars(device));
  for (std::uint32_t bar = 0; bar < pci::kBars; ++bar) {
    if ((device.device().region(bar).flags & os::abi::vfio_region_info_flag_mmap) == 0) continue;
    if (auto mapped = bars->map_bar(bar); !mapped) return std::unexpected(std::move(mapped.error()));
  }
  return bars;
}

Expected<void> Bars::map_bar(std::uint32_t bar) {
  const Region& region = device_.device().region(bar);
  const std::uint64_t size = round_up(region.size);
  const auto host = device_.vm().life.kernel.mmap(os::UserAddr{}, size, os::abi::prot_read | os::abi::prot_write,
                                                  os::abi::map_shared, device_.device().fd(), region.offset);
  if (!host) return refuse_os(host.error(), {"device ", device_.name(), ": mmap of BAR ", Decimal(bar)});
  mappings_[bar] = {*host, size};
  return {};
}

/// Who does not own the VM leaves the ranges: taking them out would unmap them for the device.
Bars::~Bars() {
  if (device_.vm().life.check_ours("")) remove_all();
  for (const Mapping& each : mappings_) {
    if (each.size != 0) (void)device_.vm().life.kernel.munmap(each.host, each.size);
  }
}

void Bars::add_piece(Ranges& ranges, std::uint32_t bar, std::uint64_t address, std::uint64_t first,
                     std::uint64_t end) const {
  if (first < end) ranges[address + first] = {end - first, mappings_[bar].host + first};
}

void Bars::add_wanted(Ranges& ranges, std::uint32_t bar, std::uint64_t address) const {
  const std::uint64_t size = mappings_[bar].size;
  const auto& msix = device_.config().msix();
  if (!msix || msix->table_bar != bar) return add_piece(ranges, bar, address, 0, size);
  const std::uint64_t table_end = std::uint64_t{msix->table_offset} + msix->table_bytes();
  add_piece(ranges, bar, address, 0, std::min(size, round_down(msix->table_offset)));
  add_piece(ranges, bar, address, round_up(table_end), size);
}

Bars::Ranges Bars::wanted() const {
  Ranges ranges;
  if (is_hidden_) return ranges;
  for (std::uint32_t bar = 0; bar < pci::kBars; ++bar) {
    if (mappings_[bar].size == 0) continue;
    const auto address = device_.config().bar_address(bar);
    if (address && *address % kPage == 0) add_wanted(ranges, bar, *address);
  }
  return ranges;
}

Expected<void> Bars::update() {
  const Ranges wanted_ranges = wanted();
  Expected<void> first;
  for (auto each = ranges_.begin(); each != ranges_.end();) {
    const auto still = wanted_ranges.find(each->first);
    if (still != wanted_ranges.end() && still->second == each->second) {
      ++each;
      continue;
    }
    auto removed = device_.vm().memory.remove(each->first);
    if (first && !removed) first = std::move(removed);
    each = ranges_.erase(each);
  }
  for (const auto& [address, range] : wanted_ranges) {
    if (ranges_.contains(address)) continue;
    auto added = device_.vm().memory.add({.address = address, .size = range.size, .bar = range.host});
    if (added) {
      ranges_.emplace(address, range);
    } else if (first && added.error().code != ErrorCode::bad_value) {
      first = std::move(added);
    }
  }
  return first;
}

void Bars::remove_all() {
  for (const auto& each : ranges_) (void)device_.vm().memory.remove(each.first);
  ranges_.clear();
}

}  // namespace vcpr::vfio
