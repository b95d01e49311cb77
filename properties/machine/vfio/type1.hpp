// The type1 IOMMU driver (drivers/vfio/vfio_iommu_type1.c): what a container maps for its groups.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/iommu.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/type1_mappings.hpp"

namespace vcpr::machine {

/// From SET_IOMMU until the container's last group leaves. All physical groups share one domain.
class Type1 {
 public:
  Type1(Machine::Impl& machine, bool is_v2);

  /// MAP_DMA, UNMAP_DMA, GET_INFO, DIRTY_PAGES; ENOTTY for anything else.
  os::Result<int> ioctl(Context& context, std::uint64_t request, void* argument);
  /// vfio_iommu_type1_attach_group: EBUSY while a vaddr is invalid; EINVAL when a mapping lies where the group can have
  /// none; EFAULT or ENOMEM when mappings that only emulated groups had cannot be pinned. Nothing has changed then.
  os::Result<void> attach(Context& context, IommuGroup& group);
  /// The last physical group takes the pins along.
  void detach(IommuGroup& group);
  /// Unmaps everything; the last call.
  void clear();
  bool has_emulated_groups() const { return emulated_groups_ != 0; }
  bool has_invalid_vaddrs() const { return invalid_vaddrs_ != 0; }
  /// Never: the machine's IOMMU cannot force snooping.
  static constexpr bool enforces_coherency() { return false; }

  std::uint32_t number() const { return number_; }
  const DmaMappings& mappings() const { return mappings_; }

 private:
  /// What a physical device reaches: the pages pinned at map time.
  class PhysicalDomain final : public DmaDomain {
   public:
    explicit PhysicalDomain(Type1& of) : of_(of) {}
    std::optional<PagePlace> translate(std::uint64_t iova, bool write) const override;

   private:
    Type1& of_;
  };
  /// What an emulated device's driver reaches by vfio_dma_rw: the owner's memory as it is now.
  class EmulatedDomain final : public DmaDomain {
   public:
    explicit EmulatedDomain(Type1& of) : of_(of) {}
    std::optional<PagePlace> translate(std::uint64_t iova, bool write) const override;

   private:
    Type1& of_;
  };

  os::Result<int> map_dma(Context& context, void* argument);
  os::Result<void> map(Context& context, const os::abi::vfio_iommu_type1_dma_map& wanted);
  os::Result<void> update_vaddr(Context& context, const os::abi::vfio_iommu_type1_dma_map& wanted);
  os::Result<void> add(Context& context, const os::abi::vfio_iommu_type1_dma_map& wanted);
  os::Result<void> pin(Context& context, DmaMapping& mapping);
  void unpin_mapping(DmaMapping& mapping);
  bool lies_in_a_window(std::uint64_t first, std::uint64_t last) const;
  os::Result<void> pin_what_is_not(Context& context);

  os::Result<int> unmap_dma(Context& context, void* argument);
  os::Result<std::uint64_t> unmap(Context& context, const os::abi::vfio_iommu_type1_dma_unmap& wanted,
                                  const os::abi::vfio_bitmap& bitmap);
  bool cuts_a_mapping(std::uint64_t first, std::uint64_t last) const;
  os::Result<std::uint64_t> invalidate(std::uint64_t first, std::uint64_t last);
  void remove(std::uint32_t position);

  os::Result<int> get_info(Context& context, void* argument) const;

  os::Result<int> dirty_pages(Context& context, void* argument);
  os::Result<int> start_tracking(Context& context);
  void stop_tracking();
  os::Result<int> get_bitmap(Context& context, std::uint32_t argsz, const std::byte* argument);
  os::Result<void> track(DmaMapping& mapping);
  void stop_tracking(DmaMapping& mapping);
  os::Result<void> report_dirty(Context& context, DmaMapping& mapping, std::uint64_t base, void* bitmap) const;

  void record(const DmaMapping& mapping, IovaChangeKind kind) const;

  Machine::Impl& machine_;
  DmaMappings mappings_;
  PhysicalDomain physical_{*this};
  EmulatedDomain emulated_{*this};
  std::uint32_t number_;  // in the truth
  std::uint32_t physical_groups_ = 0;
  std::uint32_t emulated_groups_ = 0;
  std::uint32_t dma_available_;
  std::uint32_t invalid_vaddrs_ = 0;
  bool is_v2_;
  bool tracks_dirty_ = false;
};

/// DIRTY_BITMAP_SIZE_MAX, bytes.
inline constexpr std::uint64_t kMaxDirtyBitmapBytes = std::uint64_t{256} << 20;
/// verify_bitmap_size: EINVAL when the bitmap is none, too small for the pages of `bytes` or too large.
os::Result<void> check_bitmap(const os::abi::vfio_bitmap& bitmap, std::uint64_t bytes);

}  // namespace vcpr::machine
