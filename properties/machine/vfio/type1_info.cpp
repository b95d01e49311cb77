// GET_INFO: page sizes and the chain of capabilities.
#include <array>
#include <cstring>
#include <span>

#include "properties/machine/caller_memory.hpp"
#include "properties/machine/vfio/type1.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// 4 KiB, 2 MiB and 1 GiB: second-stage pages of the simulated IOMMU.
constexpr std::uint64_t kPhysicalPageSizes = (std::uint64_t{1} << 12) | (1 << 21) | (1 << 30);
/// Without a domain: any multiple of a page.
constexpr std::uint64_t kEmulatedPageSizes = ~(kPageBytes - 1);

/// The chain as vfio_info_cap_add builds it: sizes rounded up to 8, offsets from the start of the info struct.
class Chain {
 public:
  template <class Capability>
  void add(Capability capability, std::uint32_t id, std::span<const abi::vfio_iova_range> ranges = {}) {
    static constexpr std::uint32_t kVersion = 1;
    const std::size_t start = size_;
    if (last_ != kNone) {
      const auto next = static_cast<std::uint32_t>(sizeof(abi::vfio_iommu_type1_info) + start);
      std::memcpy(bytes_.data() + last_ + offsetof(abi::vfio_info_cap_header, next), &next, sizeof next);
    }
    capability.header = {static_cast<std::uint16_t>(id), kVersion, 0};
    std::memcpy(bytes_.data() + start, &capability, sizeof capability);
    if (!ranges.empty()) std::memcpy(bytes_.data() + start + sizeof capability, ranges.data(), ranges.size_bytes());
    last_ = start;
    size_ += (sizeof capability + ranges.size_bytes() + 7) / 8 * 8;
  }
  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::array<std::byte, 128> bytes_{};
  std::size_t size_ = 0;
  std::size_t last_ = kNone;
};

}  // namespace

/// vfio_iommu_type1_get_info.
os::Result<int> Type1::get_info(Context& context, void* argument) const {
  constexpr std::size_t kMinimum = offsetof(abi::vfio_iommu_type1_info, cap_offset);
  const auto asked = copy_in<abi::vfio_iommu_type1_info>(context, argument, kMinimum);
  if (!asked) return std::unexpected(asked.error());
  if (asked->argsz < kMinimum) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::ioctl_type1_info_enomem)) return std::unexpected(Errno::enomem);
  const bool is_physical = physical_groups_ != 0;
  Chain chain;
  abi::vfio_iommu_type1_info_cap_migration migration;
  migration.pgsize_bitmap = kPageBytes;
  migration.max_dirty_bitmap_size = kMaxDirtyBitmapBytes;
  if (machine_.switches.dirty_tracking) chain.add(migration, abi::vfio_iommu_type1_info_cap_migration_id);
  abi::vfio_iommu_type1_info_dma_avail available;
  available.avail = dma_available_;
  chain.add(available, abi::vfio_iommu_type1_info_dma_avail_id);
  constexpr std::array kRanges{abi::vfio_iova_range{0, kMsiWindow.start - 1},
                               abi::vfio_iova_range{kMsiWindow.last + 1, kLastIova}};
  abi::vfio_iommu_type1_info_cap_iova_range windows;
  windows.nr_iovas = kRanges.size();
  if (is_physical) chain.add(windows, abi::vfio_iommu_type1_info_cap_iova_range_id, kRanges);

  abi::vfio_iommu_type1_info info;
  info.argsz = asked->argsz;
  info.flags = abi::vfio_iommu_info_pgsizes | abi::vfio_iommu_info_caps;
  info.iova_pgsizes = is_physical ? kPhysicalPageSizes : kEmulatedPageSizes;
  const std::span<const std::byte> bytes = chain.bytes();
  if (asked->argsz < sizeof info + bytes.size()) {
    info.argsz = static_cast<std::uint32_t>(sizeof info + bytes.size());
  } else {
    info.cap_offset = sizeof info;
    auto* tail = static_cast<std::byte*>(argument) + sizeof info;
    if (auto done = copy_out(context, tail, bytes); !done) return std::unexpected(done.error());
  }
  const std::size_t room = std::min<std::size_t>(asked->argsz, sizeof info);
  if (auto done = copy_out(context, argument, info, room); !done) return std::unexpected(done.error());
  return 0;
}

}  // namespace vcpr::machine
