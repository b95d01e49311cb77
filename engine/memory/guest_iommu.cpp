#include "engine/memory/guest_iommu.hpp"

#include <utility>

#include "engine/memory/intervals.hpp"

namespace vcpr::memory {

namespace {

std::string describe(const IommuMapping& mapping) {
  std::string text = "mapping at ";
  text += Decimal(mapping.iova);
  text += ", ";
  text += Decimal(mapping.size);
  text += " bytes: ";
  return text;
}

}  // namespace

Expected<void> GuestIommu::check(const IommuMapping& mapping) const {
  if (!is_whole_pages(mapping.iova, mapping.size)) {
    return refuse(ErrorCode::bad_value, {describe(mapping), "not whole pages"});
  }
  if (overlaps(mappings_, mapping.iova, mapping.size)) {
    return refuse(ErrorCode::bad_value, {describe(mapping), "overlaps another"});
  }
  if (mapping.block == nullptr || mapping.offset % kPageBytes != 0 ||
      !fits(mapping.offset, mapping.size, mapping.block->size)) {
    return refuse(ErrorCode::bad_value,
                  {describe(mapping), "outside of ", mapping.block != nullptr ? "its block " : "any block",
                   mapping.block != nullptr ? quoted(mapping.block->name) : std::string()});
  }
  if (mappings_.size() < kMaxIommuMappings) return {};
  return refuse(ErrorCode::too_long, {describe(mapping), "too many before it"});
}

Expected<void> GuestIommu::map(const IommuMapping& mapping) {
  if (auto checked = check(mapping); !checked) return checked;
  Expected<void> heard = listeners_.offer([&](IommuListener& listener) { return listener.mapped(mapping); },
                                          [&](IommuListener& listener) { (void)listener.unmapped(mapping); });
  if (heard) mappings_.emplace(mapping.iova, mapping);
  return heard;
}

Expected<void> GuestIommu::unmap(std::uint64_t iova) {
  auto found = mappings_.find(iova);
  if (found == mappings_.end()) return refuse(ErrorCode::missing_key, {"no mapping begins at ", Decimal(iova)});
  IommuMapping mapping = found->second;
  mappings_.erase(found);
  return listeners_.tell([&](IommuListener& listener) { return listener.unmapped(mapping); });
}

void GuestIommu::listen(IommuListener& listener) {
  listeners_.add(listener);
}

void GuestIommu::forget(IommuListener& listener) {
  listeners_.remove(listener);
}

}  // namespace vcpr::memory
