// An IOMMU that the guest programs: which pieces of its RAM a window of device addresses shows.
#pragma once

#include <map>
#include <vector>

#include "engine/memory/ram_block.hpp"

namespace vcpr::memory {

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
  virtual Expected<void> mapped(const IommuMapping& mapping) = 0;
  virtual Expected<void> unmapped(const IommuMapping& mapping) = 0;
};

class GuestIommu {
 public:
  /// bad_value (empty, not whole pages, overlaps, outside its block), and what a listener refused; no effect then.
  Expected<void> map(const IommuMapping& mapping);
  /// missing_key when no mapping begins there.
  Expected<void> unmap(std::uint64_t iova);
  /// Does not replay.
  void listen(IommuListener& listener);
  void forget(IommuListener& listener);
  /// Lowest first.
  const std::map<std::uint64_t, IommuMapping>& mappings() const { return mappings_; }

 private:
  std::map<std::uint64_t, IommuMapping> mappings_;
  std::vector<IommuListener*> listeners_;
};

}  // namespace vcpr::memory
