#include "properties/machine/iommufd/compat.hpp"

#include <array>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/iommufd/device.hpp"
#include "properties/machine/iommufd/mapping.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::uint32_t kType1 = abi::vfio_type1_iommu;
constexpr std::uint32_t kType1v2 = abi::vfio_type1v2_iommu;

/// iommufd_vfio_check_extension. None of the domains here forces snooping.
os::Result<int> check_extension(const IommufdContext& iommufd, std::uint64_t extension) {
  switch (extension) {
    case kType1:
    case kType1v2:
    case abi::vfio_unmap_all:
    case abi::vfio_noiommu_iommu:
      return 1;
    case abi::vfio_dma_cc_iommu:
      if (iommufd.compat_ioas == nullptr) return std::unexpected(Errno::enodev);
      return iommufd.compat_ioas->hwpts == nullptr;
    default:
      return 0;
  }
}

os::Result<int> set_iommu(const IommufdContext& iommufd, std::uint64_t type) {
  if (type != kType1 && type != kType1v2) return std::unexpected(Errno::einval);
  if (iommufd.compat_ioas == nullptr) return std::unexpected(Errno::enodev);
  if (type == kType1v2) return 0;
  if (auto done = disable_large_pages(*iommufd.compat_ioas); !done) return std::unexpected(done.error());
  return 0;
}

os::Result<int> map_dma(Context& context, const IommufdContext& iommufd, void* argument) {
  constexpr std::uint32_t rights = abi::vfio_dma_map_flag_read | abi::vfio_dma_map_flag_write;
  const auto map = copy_in<abi::vfio_iommu_type1_dma_map>(context, argument);
  if (!map) return std::unexpected(map.error());
  if (map->argsz < sizeof *map || (map->flags & ~rights) != 0) return std::unexpected(Errno::einval);
  if (iommufd.compat_ioas == nullptr) return std::unexpected(Errno::enodev);
  const MapWish wish{map->iova, map->size, (map->flags & abi::vfio_dma_map_flag_read) != 0,
                     (map->flags & abi::vfio_dma_map_flag_write) != 0};
  const auto iova = map_user_pages(context, iommufd, *iommufd.compat_ioas, map->vaddr, wish);
  if (!iova) return std::unexpected(iova.error());
  return 0;
}

/// The part of UNMAP_DMA that a range means; `unmapped` counts even with an error.
os::Result<void> unmap_part(Machine::Impl& machine, Ioas& ioas, const abi::vfio_iommu_type1_dma_unmap& unmap,
                            std::uint64_t& unmapped) {
  if (unmap.size == 0) return std::unexpected(Errno::einval);
  if (unmap.size - 1 > ~unmap.iova) return std::unexpected(Errno::eoverflow);
  return unmap_range(machine, ioas, unmap.iova, unmap.iova + unmap.size - 1, unmapped);
}

os::Result<int> unmap_dma(Context& context, const IommufdContext& iommufd, void* argument) {
  auto unmap = copy_in<abi::vfio_iommu_type1_dma_unmap>(context, argument);
  if (!unmap) return std::unexpected(unmap.error());
  if (unmap->argsz < sizeof *unmap || (unmap->flags & ~abi::vfio_dma_unmap_flag_all) != 0)
    return std::unexpected(Errno::einval);
  if (iommufd.compat_ioas == nullptr) return std::unexpected(Errno::enodev);
  std::uint64_t unmapped = 0;
  os::Result<void> done;
  if ((unmap->flags & abi::vfio_dma_unmap_flag_all) == 0) {
    done = unmap_part(context.machine, *iommufd.compat_ioas, *unmap, unmapped);
  } else {
    if (unmap->iova != 0 || unmap->size != 0) return std::unexpected(Errno::einval);
    unmap_all(context.machine, *iommufd.compat_ioas, unmapped);
  }
  unmap->size = unmapped;
  if (auto written = copy_out(context, argument, *unmap); !written) done = written;
  if (!done) return std::unexpected(done.error());
  return 0;
}

/// The windows between reserved ranges; two devices reserve the same one.
std::uint32_t find_windows(const Ioas& ioas, std::span<abi::vfio_iova_range> windows) {
  std::uint32_t count = 0;
  std::uint64_t start = 0;
  for (const IovaRange* each = ioas.reserved; each != nullptr && count + 1 < windows.size(); each = each->next) {
    if (each->start > start) windows[count++] = {start, each->start - 1};
    if (each->last == ~std::uint64_t{0}) return count;
    start = std::max(start, each->last + 1);
  }
  windows[count++] = {start, ~std::uint64_t{0}};
  return count;
}

/// GET_INFO's capabilities, as they lie behind the struct.
struct Capabilities {
  abi::vfio_iommu_type1_info_dma_avail available;
  std::uint32_t padding = 0;
  abi::vfio_iommu_type1_info_cap_iova_range ranges;
  std::array<abi::vfio_iova_range, 4> windows{};
};

/// iommufd_vfio_iommu_get_info.
os::Result<int> get_info(Context& context, const IommufdContext& iommufd, void* argument) {
  using Info = abi::vfio_iommu_type1_info;
  const auto asked = copy_in<Info>(context, argument, offsetof(Info, cap_offset));
  if (!asked) return std::unexpected(asked.error());
  if (asked->argsz < offsetof(Info, cap_offset)) return std::unexpected(Errno::einval);
  const Ioas* ioas = iommufd.compat_ioas;
  if (ioas == nullptr) return std::unexpected(Errno::enodev);
  Capabilities caps;
  caps.available.header = {abi::vfio_iommu_type1_info_dma_avail_id, 1,
                           static_cast<std::uint32_t>(sizeof(Info) + offsetof(Capabilities, ranges))};
  caps.available.avail = ~std::uint32_t{0};
  caps.ranges.header = {abi::vfio_iommu_type1_info_cap_iova_range_id, 1, 0};
  caps.ranges.nr_iovas = find_windows(*ioas, caps.windows);
  const std::size_t bytes = offsetof(Capabilities, windows) + caps.ranges.nr_iovas * sizeof(abi::vfio_iova_range);
  constexpr std::uint64_t domain_pages = (std::uint64_t{1} << 12) | (1 << 21) | (1 << 30);
  Info info;
  info.argsz = static_cast<std::uint32_t>(sizeof info + bytes);
  info.flags = abi::vfio_iommu_info_pgsizes | abi::vfio_iommu_info_caps;
  info.iova_pgsizes = ioas->domain_count != 0 ? domain_pages : ~(kPageBytes - 1);
  if (asked->argsz >= info.argsz) {
    info.cap_offset = sizeof info;
    auto* tail = static_cast<std::byte*>(argument) + sizeof info;
    if (auto done = copy_out(context, tail, caps, bytes); !done) return std::unexpected(done.error());
  }
  const std::size_t written = std::min<std::size_t>(asked->argsz, sizeof info);
  if (auto done = copy_out(context, argument, info, written); !done) return std::unexpected(done.error());
  return 0;
}

Description& file_of(Machine::Impl& machine, const IommufdContext& iommufd) {
  Description* file = machine.first_description;
  while (file->object != &iommufd) file = file->next;
  return *file;
}

}  // namespace

os::Result<int> compat_ioctl(Context& context, IommufdContext& iommufd, std::uint64_t request, void* argument) {
  const auto number = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(argument));
  switch (request) {
    case abi::request::vfio_get_api_version:
      return abi::vfio_api_version;
    case abi::request::vfio_check_extension:
      return check_extension(iommufd, number);
    case abi::request::vfio_set_iommu:
      return set_iommu(iommufd, number);
    case abi::request::vfio_iommu_get_info:
      return get_info(context, iommufd, argument);
    case abi::request::vfio_iommu_map_dma:
      return map_dma(context, iommufd, argument);
    case abi::request::vfio_iommu_unmap_dma:
      return unmap_dma(context, iommufd, argument);
    default:
      return std::unexpected(Errno::enotty);
  }
}

/// iommufd_vfio_compat_ioas_create.
os::Result<void> IommufdContext::attach_group(Context& context, GroupFile&) {
  acquire(file_of(context.machine, *this));
  if (compat_ioas != nullptr) return {};
  compat_ioas = context.machine.arena.make<Ioas>(++context.machine.iova_spaces);
  objects.insert(*compat_ioas);
  return {};
}

void IommufdContext::detach_group(Machine::Impl& machine, GroupFile&) {
  release(machine, file_of(machine, *this));
}

/// vfio_df_iommufd_bind and vfio_iommufd_compat_attach_ioas. The group stays open with its devices, unlike on Linux.
os::Result<void> IommufdContext::use_device(Context& context, GroupFile& group, VfioDevice& device) {
  if (device.open_count == 0) {
    if (compat_ioas == nullptr) return std::unexpected(Errno::enodev);
    const auto bound = make_device(device, file_of(context.machine, *this));
    if (!bound) return std::unexpected(bound.error());
    if (auto attached = attach_device(**bound, compat_ioas->id); !attached) {
      destroy_device(**bound);
      return std::unexpected(attached.error());
    }
  }
  acquire(*group.description);
  return {};
}

void IommufdContext::unuse_device(Machine::Impl& machine, GroupFile& group, VfioDevice& device) {
  if (device.open_count == 0) destroy_device(*device.bound);
  release(machine, *group.description);
}

}  // namespace vcpr::machine
