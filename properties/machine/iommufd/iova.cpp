#include "properties/machine/iommufd/iova.hpp"

#include <algorithm>
#include <bit>
#include <optional>

namespace vcpr::machine {

using os::Errno;

namespace {

constexpr std::uint64_t kEnd = ~std::uint64_t{0};
constexpr std::uint64_t kHugePageBytes = std::uint64_t{2} << 20;  // of transparent huge pages

/// What a place has to satisfy.
struct Fit {
  std::uint64_t length = 0;
  std::uint64_t alignment = 0;
  std::uint64_t page_offset = 0;

  /// The place in the hole [start, last], if there is one.
  std::optional<std::uint64_t> in(std::uint64_t start, std::uint64_t last) const {
    if (last - start < length - 1) return std::nullopt;
    const std::uint64_t place = ((start + alignment - 1) & ~(alignment - 1)) | page_offset;
    if (place < start || place > last || last - place < length - 1) return std::nullopt;
    return place;
  }
};

/// Walks the holes between areas and reserved ranges from `start` to `last`.
std::optional<std::uint64_t> find_place(const Ioas& ioas, const Fit& fit, std::uint64_t start, std::uint64_t last) {
  const IoArea* area = ioas.areas;
  const IovaRange* reserved = ioas.reserved;
  while (true) {
    while (area != nullptr && area->last < start) area = area->next;
    while (reserved != nullptr && reserved->last < start) reserved = reserved->next;
    std::uint64_t used_to = 0;
    if (area != nullptr && area->iova <= start) used_to = area->last;
    if (reserved != nullptr && reserved->start <= start) used_to = std::max(used_to, reserved->last);
    std::uint64_t hole_last = last;
    if (area != nullptr && area->iova > start) hole_last = std::min(hole_last, area->iova - 1);
    if (reserved != nullptr && reserved->start > start) hole_last = std::min(hole_last, reserved->start - 1);
    if (used_to == 0)
      if (const auto place = fit.in(start, hole_last)) return place;
    const std::uint64_t done_to = used_to != 0 ? used_to : hole_last;
    if (done_to >= last) return std::nullopt;
    start = done_to + 1;
  }
}

}  // namespace

os::Result<std::uint64_t> check_iova(const Ioas& ioas, std::uint64_t iova, std::uint64_t length) {
  if ((iova & (ioas.alignment - 1)) != 0) return std::unexpected(Errno::einval);
  if (length - 1 > kEnd - iova) return std::unexpected(Errno::eoverflow);
  const std::uint64_t last = iova + length - 1;
  if (find_range(ioas.reserved, iova, last) != nullptr) return std::unexpected(Errno::einval);
  if (find_area(ioas, iova, last) != nullptr) return std::unexpected(Errno::eexist);
  return iova;
}

os::Result<std::uint64_t> choose_iova(const Ioas& ioas, std::uint64_t address, std::uint64_t length) {
  if (length == 0 || length >= kEnd / 2) return std::unexpected(Errno::eoverflow);
  std::uint64_t alignment = std::min(std::bit_ceil(length), kHugePageBytes);
  if (address != 0) alignment = std::min(alignment, std::uint64_t{1} << std::countr_zero(address));
  if (alignment < ioas.alignment) return std::unexpected(Errno::einval);
  const Fit fit{length, alignment, address % kPageBytes};
  const std::uint64_t first = kPageBytes;
  const std::uint64_t last = kEnd - kPageBytes;
  const IovaRange everything{first, last, nullptr, nullptr};
  for (const IovaRange* each = ioas.allowed != nullptr ? ioas.allowed : &everything; each != nullptr;
       each = each->next) {
    const std::uint64_t from = std::max(each->start, first);
    const std::uint64_t to = std::min(each->last, last);
    if (from > to) continue;
    if (const auto place = find_place(ioas, fit, from, to)) return *place;
  }
  return std::unexpected(Errno::enospc);
}

}  // namespace vcpr::machine
