#include "engine/memory/address_map.hpp"

#include <utility>

#include "engine/memory/intervals.hpp"

namespace vcpr::memory {

namespace {

std::string describe(const FlatRange& range) {
  std::string text = "range at ";
  text += Decimal(range.address);
  text += ", ";
  text += Decimal(range.size);
  text += " bytes: ";
  return text;
}

/// What the range shows, if it is one thing.
Expected<void> check_contents(const FlatRange& range) {
  bool is_bar = range.bar != os::UserAddr();
  if ((range.block != nullptr) + (range.iommu != nullptr) + is_bar != 1) {
    return refuse(ErrorCode::bad_value, {describe(range), "not one of RAM, window and device memory"});
  }
  if (range.block != nullptr &&
      (range.offset % kPageBytes != 0 || !fits(range.offset, range.size, range.block->size))) {
    return refuse(ErrorCode::bad_value, {describe(range), "outside of block ", quoted(range.block->name)});
  }
  if (range.discards == nullptr) return {};
  if (range.block == nullptr || range.discards->size() != range.block->size ||
      range.offset % range.discards->granularity() != 0 || range.size % range.discards->granularity() != 0) {
    return refuse(ErrorCode::bad_value, {describe(range), "not whole units of its discard manager"});
  }
  return {};
}

}  // namespace

os::UserAddr FlatRange::host() const {
  return block != nullptr ? block->host + offset : bar;
}

Expected<void> AddressMap::add(const FlatRange& range) {
  if (!is_whole_pages(range.address, range.size)) {
    return refuse(ErrorCode::bad_value, {describe(range), "not whole pages"});
  }
  if (overlaps(ranges_, range.address, range.size)) {
    return refuse(ErrorCode::bad_value, {describe(range), "overlaps another"});
  }
  if (auto checked = check_contents(range); !checked) return checked;
  Expected<void> heard = listeners_.offer([&](MapListener& listener) { return listener.added(range); },
                                          [&](MapListener& listener) { (void)listener.removed(range); });
  if (heard) ranges_.emplace(range.address, range);
  return heard;
}

Expected<void> AddressMap::remove(std::uint64_t address) {
  auto found = ranges_.find(address);
  if (found == ranges_.end()) return refuse(ErrorCode::missing_key, {"no range begins at ", Decimal(address)});
  FlatRange range = found->second;
  ranges_.erase(found);
  return listeners_.tell([&](MapListener& listener) { return listener.removed(range); });
}

Expected<void> AddressMap::listen(MapListener& listener) {
  for (auto next = ranges_.begin(); next != ranges_.end(); ++next) {
    Expected<void> answer = listener.added(next->second);
    if (answer) continue;
    while (next != ranges_.begin()) (void)listener.removed((--next)->second);
    return answer;
  }
  listeners_.add(listener);
  return {};
}

void AddressMap::forget(MapListener& listener) {
  listeners_.remove(listener);
}

}  // namespace vcpr::memory
