// An IOMMU that the guest programs: which pieces of its RAM a window of device addresses shows.
#pragma once

#include <cstdint>
#include <map>

#include "engine/memory/listeners.hpp"
#include "engine/memory/ram_block.hpp"

namespace vcpr::memory {

/// Mappings of one guest IOMMU; type1 takes 65,535 of a container by default (dma_entry_limit).
inline constexpr std::size_t kMaxIommuMappings = 1u << 16;

struct IommuMapping {
  std::uint64_t iova = 0;
  std::uint64_t size = 0;
  RamBlock* block = nullptr;
  std::uint64_t offset = 0;
  bool read_only = false;
};

class IommuListener {
 public:
  virtual ~IommuListener() = default;
  /// An error refuses the mapping and leaves this listener without it.
  virtual Expected<void> mapped(const IommuMapping& mapping) = 0;
  virtual Expected<void> unmapped(const IommuMapping& mapping) = 0;
};

class GuestIommu {
 public:
  /// bad_value (empty, not whole pages, overlaps, outside its block), too_long (kMaxIommuMappings), and what a listener
  /// refused; no effect then. While listeners are told, mappings() is as it was.
  Expected<void> map(const IommuMapping& mapping);
  /// missing_key when no mapping begins there. The mapping is gone from mappings() when listeners hear, last first; the
  /// first error among what they say is the result.
  Expected<void> unmap(std::uint64_t iova);
  /// Does not replay.
  void listen(IommuListener& listener);
  void forget(IommuListener& listener);
  /// Lowest first.
  const std::map<std::uint64_t, IommuMapping>& mappings() const { return mappings_; }

 private:
  Expected<void> check(const IommuMapping& mapping) const;

  std::map<std::uint64_t, IommuMapping> mappings_;
  Listeners<IommuListener> listeners_;
};

}  // namespace vcpr::memory
