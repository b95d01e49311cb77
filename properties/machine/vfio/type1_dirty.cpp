// DIRTY_PAGES, and the bitmap that UNMAP_DMA can give.
#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "properties/machine/caller_memory.hpp"
#include "properties/machine/vfio/type1.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::uint32_t kStart = abi::vfio_iommu_dirty_pages_flag_start;
constexpr std::uint32_t kStop = abi::vfio_iommu_dirty_pages_flag_stop;
constexpr std::uint32_t kGet = abi::vfio_iommu_dirty_pages_flag_get_bitmap;
constexpr std::uint64_t kMaxPages = std::numeric_limits<std::int32_t>::max();  // DIRTY_BITMAP_PAGES_MAX
constexpr std::uint64_t kBits = 64;

/// access_ok: an address of the kernel's half can be nobody's memory.
bool is_user_range(const void* data, std::uint64_t bytes) {
  const auto start = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(data));
  const std::uint64_t end = start + bytes;
  return end >= start && (end >> 63) == 0;
}

std::uint64_t words_for(std::uint64_t bits) {
  return bits / kBits + (bits % kBits != 0 ? 1 : 0);
}
void set_bits(std::uint64_t* words, std::uint64_t bits) {
  std::fill_n(words, bits / kBits, ~std::uint64_t{0});
  if (bits % kBits != 0) words[bits / kBits] |= (std::uint64_t{1} << (bits % kBits)) - 1;
}
void clear_bits(std::uint64_t* words, std::uint64_t bits) {
  std::fill_n(words, bits / kBits, 0);
  if (bits % kBits != 0) words[bits / kBits] &= ~((std::uint64_t{1} << (bits % kBits)) - 1);
}

}  // namespace

os::Result<void> check_bitmap(const abi::vfio_bitmap& bitmap, std::uint64_t bytes) {
  if (!is_user_range(bitmap.data, bitmap.size) || bitmap.pgsize == 0) return std::unexpected(Errno::einval);
  const std::uint64_t pages = bytes >> std::countr_zero(bitmap.pgsize);
  const std::uint64_t needed = words_for(pages) * sizeof(std::uint64_t);
  if (pages == 0 || bitmap.size == 0 || bitmap.size > kMaxDirtyBitmapBytes || bitmap.size < needed)
    return std::unexpected(Errno::einval);
  return {};
}

/// vfio_iommu_type1_dirty_pages.
os::Result<int> Type1::dirty_pages(Context& context, void* argument) {
  if (!is_v2_) return std::unexpected(Errno::eacces);
  const auto wanted = copy_in<abi::vfio_iommu_type1_dirty_bitmap>(context, argument);
  if (!wanted) return std::unexpected(wanted.error());
  if (wanted->argsz < sizeof *wanted) return std::unexpected(Errno::einval);
  switch (wanted->flags) {
    case kStart:
      return start_tracking(context);
    case kStop:
      stop_tracking();
      return 0;
    case kGet:
      return get_bitmap(context, wanted->argsz, static_cast<const std::byte*>(argument) + sizeof *wanted);
    default:
      return std::unexpected(Errno::einval);
  }
}

os::Result<int> Type1::start_tracking(Context& context) {
  if (tracks_dirty_) return 0;
  if (mappings_.count() != 0 && context.fires(FaultPoint::ioctl_dirty_start_enomem))
    return std::unexpected(Errno::enomem);
  for (std::uint32_t i = 0; i < mappings_.count(); ++i) {
    if (auto done = track(mappings_.at(i)); !done) {
      stop_tracking();
      return std::unexpected(done.error());
    }
  }
  tracks_dirty_ = true;
  return 0;
}

void Type1::stop_tracking() {
  for (std::uint32_t i = 0; i < mappings_.count(); ++i) stop_tracking(mappings_.at(i));
  tracks_dirty_ = false;
}

/// vfio_dma_bitmap_alloc.
os::Result<void> Type1::track(DmaMapping& mapping) {
  if (mapping.pages() > kMaxPages) return std::unexpected(Errno::einval);
  const std::uint64_t words = mapping.dirty_words();
  if (!machine_.arena.has_room_for(words * sizeof(std::uint64_t))) return std::unexpected(Errno::enomem);
  mapping.dirty = machine_.arena.make_array<std::uint64_t>(words);
  return {};
}

void Type1::stop_tracking(DmaMapping& mapping) {
  if (mapping.dirty == nullptr) return;
  machine_.arena.give_back(std::exchange(mapping.dirty, nullptr), mapping.dirty_words() * sizeof(std::uint64_t));
}

/// The GET_BITMAP branch, and vfio_iova_dirty_bitmap.
os::Result<int> Type1::get_bitmap(Context& context, std::uint32_t argsz, const std::byte* argument) {
  using Range = abi::vfio_iommu_type1_dirty_bitmap_get;
  if (argsz < sizeof(abi::vfio_iommu_type1_dirty_bitmap) + sizeof(Range)) return std::unexpected(Errno::einval);
  const auto range = copy_in<Range>(context, argument);
  if (!range) return std::unexpected(range.error());
  if (range->size == 0) return std::unexpected(Errno::einval);
  const std::uint64_t last = range->iova + (range->size - 1);
  if (last < range->iova) return std::unexpected(Errno::eoverflow);
  if (auto good = check_bitmap(range->bitmap, range->size); !good) return std::unexpected(good.error());
  const bool is_aligned = (range->iova | range->size) % kPageBytes == 0;
  if (range->bitmap.pgsize != kPageBytes || !is_aligned || !tracks_dirty_) return std::unexpected(Errno::einval);
  if (cuts_a_mapping(range->iova, last)) return std::unexpected(Errno::einval);
  for (std::uint32_t i = mappings_.first_from(range->iova); i < mappings_.count(); ++i) {
    DmaMapping& mapping = mappings_.at(i);
    if (mapping.iova > last) break;
    if (auto done = report_dirty(context, mapping, range->iova, range->bitmap.data); !done)
      return std::unexpected(done.error());
    clear_bits(mapping.dirty, mapping.pages());
  }
  return 0;
}

/// update_user_bitmap: shifts the mapping's own bits to where the caller's bitmap has them, in place, and writes whole
/// words. get_bitmap() clears the mapping's bits only, so what was shifted beyond them shows up again in a later report
/// with another shift, and the caller's own bits of the first word come back with it: the real one does the same.
os::Result<void> Type1::report_dirty(Context& context, DmaMapping& mapping, std::uint64_t base, void* bitmap) const {
  const std::uint64_t offset = (mapping.iova - base) / kPageBytes;
  const std::uint64_t shift = offset % kBits;
  const std::uint64_t words = words_for(mapping.pages() + shift);
  if (mapping.is_mapped) set_bits(mapping.dirty, mapping.pages());  // a physical device cannot tell what it wrote
  auto* place = is_bad(bitmap) ? nullptr : static_cast<std::byte*>(bitmap) + offset / kBits * sizeof(std::uint64_t);
  if (shift != 0) {
    for (std::uint64_t i = words; i-- > 0;) {
      const std::uint64_t lower = i > 0 ? mapping.dirty[i - 1] >> (kBits - shift) : 0;
      mapping.dirty[i] = lower | (mapping.dirty[i] << shift);
    }
    const auto before = copy_in<std::uint64_t>(context, place);
    if (!before) return std::unexpected(before.error());
    mapping.dirty[0] |= *before;
  }
  return copy_out(context, place, std::as_bytes(std::span(mapping.dirty, words)));
}

}  // namespace vcpr::machine
