// What devices see of guest memory: flat ranges of guest addresses, and who listens to their coming and going.
#pragma once

#include <cstdint>
#include <map>

#include "engine/memory/discard_manager.hpp"
#include "engine/memory/guest_iommu.hpp"
#include "engine/memory/listeners.hpp"
#include "engine/memory/ram_block.hpp"

namespace vcpr::memory {

/// One range of guest physical addresses. RAM (block), or the window of a guest IOMMU that maps pieces of RAM into it,
/// or memory of a device's BAR (block is null, `bar` says where this process has it mapped).
struct FlatRange {
  std::uint64_t address = 0;  ///< guest physical, whole pages
  std::uint64_t size = 0;
  RamBlock* block = nullptr;
  std::uint64_t offset = 0;  ///< in the block
  os::UserAddr bar{};        ///< device memory: mapped for peer to peer DMA, its failure is no error
  bool read_only = false;
  GuestIommu* iommu = nullptr;         ///< the range is a window; block is null
  DiscardManager* discards = nullptr;  ///< only the populated parts of the range are there

  bool is_ram() const { return block != nullptr; }
  os::UserAddr host() const;  ///< of RAM or BAR memory
};

/// Hears of ranges; a container that maps them for its devices.
class MapListener {
 public:
  virtual ~MapListener() = default;
  /// An error refuses the range and leaves this listener without it: those who took it hear removed().
  virtual Expected<void> added(const FlatRange& range) = 0;
  virtual Expected<void> removed(const FlatRange& range) = 0;
};

class AddressMap {
 public:
  /// bad_value (empty, not whole pages, overlaps another, not one of RAM, window and BAR, outside its block, not whole
  /// units of its discard manager, which covers the whole block), and what a listener refused; then nothing has
  /// changed. While listeners are told, ranges() is as it was.
  Expected<void> add(const FlatRange& range);
  /// missing_key when no range begins there. The range is gone from ranges() when listeners hear, last first; the first
  /// error among what they say is the result.
  Expected<void> remove(std::uint64_t address);
  /// The listener hears of every range there is, lowest first; on error of those it took, again, that they go.
  Expected<void> listen(MapListener& listener);
  /// The listener hears nothing.
  void forget(MapListener& listener);
  const std::map<std::uint64_t, FlatRange>& ranges() const { return ranges_; }

 private:
  std::map<std::uint64_t, FlatRange> ranges_;
  Listeners<MapListener> listeners_;
};

}  // namespace vcpr::memory
