// The mappings of a type1 container, by I/O address.
#pragma once

#include <cstdint>

#include "properties/machine/mm_account.hpp"
#include "properties/machine/pins.hpp"
#include "properties/machine/sorted_list.hpp"

namespace vcpr::machine {

/// One successful MAP_DMA (struct vfio_dma).
struct DmaMapping {
  std::uint64_t iova = 0;
  std::uint64_t size = 0;   ///< bytes, whole pages, not 0
  std::uint64_t vaddr = 0;  ///< in `owner`; what MAP with the VADDR flag gave is never looked up
  bool may_read = false;    ///< by the device
  bool may_write = false;
  bool vaddr_invalid = false;
  bool is_mapped = false;          ///< in the IOMMU's domain, the pages pinned
  bool lock_capable = false;       ///< mapped or updated with CAP_IPC_LOCK
  Mm owner;                        ///< who is charged
  std::uint64_t locked_pages = 0;  ///< charged for this mapping
  Pins pins;
  std::uint64_t* dirty = nullptr;  ///< one bit a page while dirty tracking is on

  std::uint64_t last() const { return iova + (size - 1); }
  std::uint64_t pages() const { return size / kPageBytes; }
  /// One more than the pages need: a report shifts them in place.
  std::uint64_t dirty_words() const { return (pages() + 63) / 64 + 1; }
};

/// Sorted, disjoint. Positions hold until the next insert or remove.
class DmaMappings {
 public:
  std::uint32_t count() const { return entries_.size(); }
  DmaMapping& at(std::uint32_t position) const { return entries_[position]; }
  /// Of the first mapping that ends at or after `iova`; count() when there is none.
  std::uint32_t first_from(std::uint64_t iova) const { return entries_.first_from(iova); }
  /// The lowest mapping that has part of [first, last]; null when there is none (vfio_find_dma).
  DmaMapping* find(std::uint64_t first, std::uint64_t last) const;
  DmaMapping& insert(Arena& arena, const DmaMapping& mapping);
  /// The mapping's pins and bitmap have been given back.
  void remove(Arena& arena, std::uint32_t position);
  void clear(Arena& arena);

 private:
  SortedList<DmaMapping, &DmaMapping::last> entries_;
};

}  // namespace vcpr::machine
