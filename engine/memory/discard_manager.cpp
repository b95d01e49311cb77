#include "engine/memory/discard_manager.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/memory/intervals.hpp"

namespace vcpr::memory {

DiscardManager::DiscardManager(std::uint64_t size, std::uint64_t granularity) : size_(size), granularity_(granularity) {
  assert(is_whole_pages(0, granularity) && size % granularity == 0 && size / granularity <= kMaxDiscardUnits);
  units_.resize(size / granularity);
}

Expected<void> DiscardManager::populate(std::uint64_t offset, std::uint64_t size) {
  if (auto checked = check(offset, size, false); !checked) return checked;
  Expected<void> heard =
      listeners_.offer([&](DiscardListener& listener) { return populate_units(offset, size, listener); },
                       [&](DiscardListener& listener) { discard_units(offset, size, listener); });
  if (heard) mark(offset, size, true);
  return heard;
}

Expected<void> DiscardManager::discard(std::uint64_t offset, std::uint64_t size) {
  if (auto checked = check(offset, size, true); !checked) return checked;
  mark(offset, size, false);
  return listeners_.tell([&](DiscardListener& listener) -> Expected<void> {
    discard_units(offset, size, listener);
    return {};
  });
}

void DiscardManager::listen(DiscardListener& listener) {
  listeners_.add(listener);
}

void DiscardManager::forget(DiscardListener& listener) {
  listeners_.remove(listener);
}

Expected<void> DiscardManager::replay_populated(std::uint64_t offset, std::uint64_t size,
                                                DiscardListener& listener) const {
  std::uint64_t begin = std::min(offset, size_);
  std::uint64_t end = begin + std::min(size, size_ - begin);
  std::uint64_t first = begin / granularity_ + (begin % granularity_ != 0);
  for (std::uint64_t unit = first; unit < end / granularity_; ++unit) {
    if (!units_[unit]) continue;
    if (auto answer = listener.populated(unit * granularity_, granularity_); !answer) return answer;
  }
  return {};
}

bool DiscardManager::is_populated(std::uint64_t offset) const {
  return offset < size_ && units_[offset / granularity_];
}

Expected<void> DiscardManager::check(std::uint64_t offset, std::uint64_t size, bool populated) const {
  auto refused = [&](std::string_view why) {
    return refuse(ErrorCode::bad_value, {"units from ", Decimal(offset), ", ", Decimal(size), " bytes: ", why});
  };
  if (size == 0 || offset % granularity_ != 0 || size % granularity_ != 0) return refused("not whole units");
  if (!fits(offset, size, size_)) return refused("outside");
  for (std::uint64_t done = 0; done < size; done += granularity_) {
    if (is_populated(offset + done) != populated) return refused(populated ? "not populated" : "populated already");
  }
  return {};
}

void DiscardManager::mark(std::uint64_t offset, std::uint64_t size, bool populated) {
  for (std::uint64_t done = 0; done < size; done += granularity_) units_[(offset + done) / granularity_] = populated;
}

/// All units, or none.
Expected<void> DiscardManager::populate_units(std::uint64_t offset, std::uint64_t size,
                                              DiscardListener& listener) const {
  for (std::uint64_t done = 0; done < size; done += granularity_) {
    Expected<void> answer = listener.populated(offset + done, granularity_);
    if (answer) continue;
    discard_units(offset, done, listener);
    return answer;
  }
  return {};
}

/// Last first.
void DiscardManager::discard_units(std::uint64_t offset, std::uint64_t size, DiscardListener& listener) const {
  for (std::uint64_t left = size; left > 0; left -= granularity_) {
    listener.discarded(offset + (left - granularity_), granularity_);
  }
}

}  // namespace vcpr::memory
