// UNMAP_DMA: mappings go, or only their vaddr becomes invalid.
#include <limits>

#include "properties/machine/caller_memory.hpp"
#include "properties/machine/vfio/type1.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

using Unmap = abi::vfio_iommu_type1_dma_unmap;

constexpr std::uint32_t kDirty = abi::vfio_dma_unmap_flag_get_dirty_bitmap;
constexpr std::uint32_t kAll = abi::vfio_dma_unmap_flag_all;
constexpr std::uint32_t kVaddr = abi::vfio_dma_unmap_flag_vaddr;

std::uint32_t known_flags(const Switches& switches) {
  return (switches.dirty_tracking ? kDirty : 0) | (switches.unmap_all ? kAll : 0) |
         (switches.update_vaddr ? kVaddr : 0);
}

/// The last address of the range, after its checks in vfio_dma_do_unmap.
os::Result<std::uint64_t> last_of(const Unmap& wanted) {
  if (wanted.iova % kPageBytes != 0) return std::unexpected(Errno::einval);
  if ((wanted.flags & kAll) != 0) {
    if (wanted.iova != 0 || wanted.size != 0) return std::unexpected(Errno::einval);
    return std::numeric_limits<std::uint64_t>::max();
  }
  if (wanted.size == 0 || wanted.size % kPageBytes != 0) return std::unexpected(Errno::einval);
  const std::uint64_t last = wanted.iova + (wanted.size - 1);
  if (last < wanted.iova) return std::unexpected(Errno::eoverflow);
  return last;
}

}  // namespace

/// vfio_iommu_type1_unmap_dma: the caller's size is only written on success.
os::Result<int> Type1::unmap_dma(Context& context, void* argument) {
  auto wanted = copy_in<Unmap>(context, argument);
  if (!wanted) return std::unexpected(wanted.error());
  if (wanted->argsz < sizeof *wanted || (wanted->flags & ~known_flags(machine_.switches)) != 0)
    return std::unexpected(Errno::einval);
  abi::vfio_bitmap bitmap;
  if ((wanted->flags & kDirty) != 0) {
    if ((wanted->flags & (kAll | kVaddr)) != 0) return std::unexpected(Errno::einval);
    if (wanted->argsz < sizeof *wanted + sizeof bitmap) return std::unexpected(Errno::einval);
    const auto copied = copy_in<abi::vfio_bitmap>(context, static_cast<std::byte*>(argument) + sizeof *wanted);
    if (!copied) return std::unexpected(copied.error());
    bitmap = *copied;
    if (auto good = check_bitmap(bitmap, wanted->size); !good) return std::unexpected(good.error());
  }
  const auto bytes = unmap(context, *wanted, bitmap);
  if (!bytes) return std::unexpected(bytes.error());
  wanted->size = *bytes;
  if (auto done = copy_out(context, argument, *wanted); !done) return std::unexpected(done.error());
  return 0;
}

/// vfio_dma_do_unmap.
os::Result<std::uint64_t> Type1::unmap(Context& context, const Unmap& wanted, const abi::vfio_bitmap& bitmap) {
  const bool wants_dirty = (wanted.flags & kDirty) != 0;
  if ((wanted.flags & kVaddr) != 0 && has_emulated_groups()) return std::unexpected(Errno::ebusy);
  const auto last = last_of(wanted);
  if (!last) return last;
  if (wants_dirty && (!tracks_dirty_ || bitmap.pgsize != kPageBytes)) return std::unexpected(Errno::einval);
  if (is_v2_ && (wanted.flags & kAll) == 0 && cuts_a_mapping(wanted.iova, *last)) return std::unexpected(Errno::einval);
  if ((wanted.flags & kVaddr) != 0) return invalidate(wanted.iova, *last);
  std::uint64_t bytes = 0;
  const std::uint32_t position = mappings_.first_from(wanted.iova);
  while (position < mappings_.count() && mappings_.at(position).iova <= *last) {
    DmaMapping& mapping = mappings_.at(position);
    if (!is_v2_ && mapping.iova < wanted.iova) break;
    if (wants_dirty)
      if (auto done = report_dirty(context, mapping, wanted.iova, bitmap.data); !done)
        return std::unexpected(done.error());
    bytes += mapping.size;
    remove(position);
  }
  return bytes;
}

bool Type1::cuts_a_mapping(std::uint64_t first, std::uint64_t last) const {
  const DmaMapping* left = mappings_.find(first, first);
  const DmaMapping* right = mappings_.find(last, last);
  return (left != nullptr && left->iova != first) || (right != nullptr && right->last() != last);
}

/// One that is invalid already takes back what this call has done before it, and nothing else.
os::Result<std::uint64_t> Type1::invalidate(std::uint64_t first, std::uint64_t last) {
  std::uint32_t begin = mappings_.first_from(first);
  if (!is_v2_ && begin < mappings_.count() && mappings_.at(begin).iova < first) return 0;
  std::uint64_t bytes = 0;
  std::uint32_t end = begin;
  for (; end < mappings_.count() && mappings_.at(end).iova <= last; ++end) {
    DmaMapping& mapping = mappings_.at(end);
    if (mapping.vaddr_invalid) {
      for (std::uint32_t i = begin; i < end; ++i) mappings_.at(i).vaddr_invalid = false;
      return std::unexpected(Errno::einval);
    }
    mapping.vaddr_invalid = true;
    bytes += mapping.size;
  }
  invalid_vaddrs_ += end - begin;
  for (; begin < end; ++begin) record(mappings_.at(begin), IovaChangeKind::vaddr_invalidated);
  return bytes;
}

/// vfio_remove_dma.
void Type1::remove(std::uint32_t position) {
  DmaMapping& mapping = mappings_.at(position);
  record(mapping, IovaChangeKind::unmapped);
  unpin_mapping(mapping);
  stop_tracking(mapping);
  if (mapping.vaddr_invalid) --invalid_vaddrs_;
  mappings_.remove(machine_.arena, position);
  ++dma_available_;
}

}  // namespace vcpr::machine
