#include "properties/machine/vfio/type1.hpp"

#include <array>

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// Where the groups of a physical domain can have mappings: below and above the MSI window.
constexpr std::array kWindows{ReservedRange{0, kMsiWindow.start - 1}, ReservedRange{kMsiWindow.last + 1, kLastIova}};

}  // namespace

Type1::Type1(Machine::Impl& machine, bool is_v2)
    : machine_(machine),
      number_(++machine.iova_spaces),
      dma_available_(machine.switches.dma_entry_limit),
      is_v2_(is_v2) {}

os::Result<int> Type1::ioctl(Context& context, std::uint64_t request, void* argument) {
  switch (request) {
    case abi::request::vfio_iommu_get_info:
      return get_info(context, argument);
    case abi::request::vfio_iommu_map_dma:
      return map_dma(context, argument);
    case abi::request::vfio_iommu_unmap_dma:
      return unmap_dma(context, argument);
    case abi::request::vfio_iommu_dirty_pages:
      if (!machine_.switches.dirty_tracking) return std::unexpected(Errno::enotty);
      return dirty_pages(context, argument);
    default:
      return std::unexpected(Errno::enotty);
  }
}

os::Result<void> Type1::attach(Context& context, IommuGroup& group) {
  if (invalid_vaddrs_ != 0) return std::unexpected(Errno::ebusy);
  if (group.domain == &physical_ || group.domain == &emulated_) return std::unexpected(Errno::einval);
  if (group.is_emulated) {
    ++emulated_groups_;
    group.domain = &emulated_;
    return {};
  }
  if (physical_groups_ == 0)
    if (auto filled = pin_what_is_not(context); !filled) return filled;
  ++physical_groups_;
  group.domain = &physical_;
  return {};
}

/// vfio_iommu_replay: a new domain is filled with what emulated groups only had recorded.
os::Result<void> Type1::pin_what_is_not(Context& context) {
  for (std::uint32_t i = 0; i < mappings_.count(); ++i) {
    const DmaMapping& each = mappings_.at(i);
    bool fits = false;
    for (const ReservedRange& window : kWindows) fits |= each.iova >= window.start && each.last() <= window.last;
    if (!fits) return std::unexpected(Errno::einval);
  }
  for (std::uint32_t i = 0; i < mappings_.count(); ++i) {
    if (auto pinned = pin(context, mappings_.at(i)); !pinned) {
      for (std::uint32_t undo = 0; undo < i; ++undo) unpin_mapping(mappings_.at(undo));
      return pinned;
    }
  }
  for (std::uint32_t i = 0; i < mappings_.count(); ++i) record(mappings_.at(i), IovaChangeKind::pinned);
  return {};
}

void Type1::detach(IommuGroup& group) {
  group.domain = nullptr;
  if (group.is_emulated) {
    --emulated_groups_;
    return;
  }
  if (--physical_groups_ != 0) return;
  for (std::uint32_t i = 0; i < mappings_.count(); ++i) {
    unpin_mapping(mappings_.at(i));
    record(mappings_.at(i), IovaChangeKind::unpinned);
  }
}

void Type1::clear() {
  while (mappings_.count() != 0) remove(mappings_.count() - 1);
  mappings_.clear(machine_.arena);
}

bool Type1::lies_in_a_window(std::uint64_t first, std::uint64_t last) const {
  if (physical_groups_ == 0) return true;
  for (const ReservedRange& window : kWindows)
    if (first >= window.start && last <= window.last) return true;
  return false;
}

std::optional<PagePlace> Type1::PhysicalDomain::translate(std::uint64_t iova, bool write) const {
  const DmaMapping* mapping = of_.mappings_.find(iova, iova);
  if (mapping == nullptr || !mapping->is_mapped || !(write ? mapping->may_write : mapping->may_read)) return {};
  return mapping->pins.at((iova - mapping->iova) / kPageBytes);
}

/// vfio_iommu_type1_dma_rw_chunk: what is written is dirty. No vaddr is invalid while an emulated group is attached.
std::optional<PagePlace> Type1::EmulatedDomain::translate(std::uint64_t iova, bool write) const {
  DmaMapping* mapping = of_.mappings_.find(iova, iova);
  if (mapping == nullptr || !(write ? mapping->may_write : mapping->may_read)) return {};
  if (!mapping->owner.has_users()) return {};
  const std::uint64_t inside = iova - mapping->iova;
  AddressSpace& space = mapping->owner.process->space;
  const PagePlace place = write ? space.place_to_write(of_.machine_, mapping->vaddr + inside)
                                : space.place_to_pin(of_.machine_, mapping->vaddr + inside);
  if (place.memory == nullptr) return {};
  const std::uint64_t page = inside / kPageBytes;
  if (write && mapping->dirty != nullptr) mapping->dirty[page / 64] |= std::uint64_t{1} << (page % 64);
  return place;
}

void Type1::record(const DmaMapping& mapping, IovaChangeKind kind) const {
  IovaChange change{machine_.current_call, number_, kind, mapping.iova, mapping.size, mapping.vaddr};
  change.process = mapping.owner.process;
  const bool tells_pages = kind == IovaChangeKind::mapped || kind == IovaChangeKind::pinned;
  record_change(machine_, change, tells_pages ? mapping.pins : Pins{});
}

}  // namespace vcpr::machine
