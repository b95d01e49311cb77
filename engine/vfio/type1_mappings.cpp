// What a type1 container asks the kernel about its mappings, and how their vaddrs change hands.
#include <algorithm>

#include "engine/os/abi/vfio.hpp"
#include "engine/vfio/ioctl.hpp"
#include "engine/vfio/type1_container.hpp"

namespace vcpr::vfio {

namespace abi = os::abi;

namespace {

abi::vfio_iommu_type1_dma_map argument_of(const DmaMapping& mapping, std::uint32_t flags) {
  return {sizeof(abi::vfio_iommu_type1_dma_map), flags, mapping.vaddr.value(), mapping.iova, mapping.size};
}

/// Restores one range the way its mappings came to be.
Expected<void> restore_range(Container& container, const memory::FlatRange& range) {
  if (range.iommu != nullptr) return vfio_cpr_giommu_remap(container, range);
  if (range.discards != nullptr) return vfio_cpr_ram_discard_replay_populated(container, range);
  return container.remap(range);
}

}  // namespace

Expected<void> Type1Container::start_mapping() {
  return vm_.life.is_incoming() ? Expected<void>() : listen();
}

Expected<bool> Type1Container::map(DmaMapping& mapping) {
  const bool is_bar = mapping.block == nullptr;
  if (adopting_) {
    Expected<void> updated = update_vaddr(mapping);
    if (updated) return true;
    if (is_bar && updated.error().os == os::Errno::enoent) return false;
    return std::unexpected(std::move(updated.error()));
  }
  if (Expected<void> ours = vm_.life.check_ours("mapping for DMA"); !ours)
    return std::unexpected(std::move(ours.error()));
  auto argument = argument_of(
      mapping, abi::vfio_dma_map_flag_read | (mapping.read_only ? 0 : std::uint32_t{abi::vfio_dma_map_flag_write}));
  Expected<int> mapped = call(vm_.life.kernel, fd_, abi::request::vfio_iommu_map_dma, &argument,
                              {"VFIO_IOMMU_MAP_DMA of ", Decimal(mapping.size), " bytes at ", Decimal(mapping.iova)});
  if (mapped) return true;
  if (is_bar && mapped.error().code != ErrorCode::gone) return false;
  return std::unexpected(std::move(mapped.error()));
}

/// Once the VM may be another's, a mapping stays what it is, in the kernel and in the books (window W19).
Expected<void> Type1Container::unmap(const DmaMapping& mapping) {
  if (adopting_) return {};
  if (Expected<void> ours = vm_.life.check_ours("unmapping from DMA"); !ours) return ours;
  abi::vfio_iommu_type1_dma_unmap argument{sizeof argument, 0, mapping.iova, mapping.size};
  Expected<int> done = call(vm_.life.kernel, fd_, abi::request::vfio_iommu_unmap_dma, &argument,
                            {"VFIO_IOMMU_UNMAP_DMA of ", Decimal(mapping.size), " bytes at ", Decimal(mapping.iova)});
  if (!done) return std::unexpected(std::move(done.error()));
  return {};
}

Expected<void> Type1Container::update_vaddr(const DmaMapping& mapping) {
  auto argument = argument_of(mapping, abi::vfio_dma_map_flag_vaddr);
  Expected<int> done =
      call(vm_.life.kernel, fd_, abi::request::vfio_iommu_map_dma, &argument,
           {"VFIO_IOMMU_MAP_DMA VADDR of ", Decimal(mapping.size), " bytes at ", Decimal(mapping.iova)});
  if (!done) return std::unexpected(std::move(done.error()));
  return {};
}

Expected<std::uint64_t> Type1Container::invalidate(std::uint64_t iova, std::uint64_t size, std::uint32_t more_flags) {
  abi::vfio_iommu_type1_dma_unmap argument{sizeof argument, abi::vfio_dma_unmap_flag_vaddr | more_flags, iova, size};
  Expected<int> done = call(vm_.life.kernel, fd_, abi::request::vfio_iommu_unmap_dma, &argument,
                            {"VFIO_IOMMU_UNMAP_DMA VADDR at ", Decimal(iova)});
  if (!done) return std::unexpected(std::move(done.error()));
  return argument.size;
}

Expected<void> Type1Container::invalidate_vaddrs() {
  if (lifecycle::is_live(vm_.life.run_state)) {
    return refuse(ErrorCode::bad_state, {"vaddrs of a guest that runs cannot be invalidated"});
  }
  if (cpr.vaddr_unmapped) return refuse(ErrorCode::bad_state, {"vaddrs were invalidated before and not all restored"});
  Expected<std::uint64_t> bytes = invalidate(0, 0, abi::vfio_dma_unmap_flag_all);
  if (!bytes) return std::unexpected(std::move(bytes.error()));
  cpr.vaddr_unmapped = true;
  invalidate_books();
  std::uint64_t booked = 0;
  for (const auto& [iova, mapping] : mappings()) booked += mapping.size;
  if (*bytes == booked) return {};
  return refuse(ErrorCode::bad_value, {"the kernel maps ", Decimal(*bytes), " bytes, not ", Decimal(booked)});
}

Expected<void> Type1Container::restore_vaddrs() {
  if (!cpr.vaddr_unmapped) return {};
  Expected<void> first;
  for (const auto& [address, range] : vm_.memory.ranges()) note(first, restore_range(*this, range));
  if (first) first = remap({.address = 0, .size = ~std::uint64_t{0}});
  if (first) cpr.vaddr_unmapped = false;
  return first;
}

/// EINVAL: it is valid, because the new process restored it for itself (window W12). Its vaddr must be ours again, and
/// only an invalid one can be updated.
Expected<void> Type1Container::restore(DmaMapping& mapping) {
  if (mapping.vaddr_valid) return {};
  Expected<void> updated = update_vaddr(mapping);
  if (!updated && updated.error().os == os::Errno::einval) {
    if (Expected<std::uint64_t> bytes = invalidate(mapping.iova, mapping.size, 0); !bytes)
      return std::unexpected(std::move(bytes.error()));
    updated = update_vaddr(mapping);
  }
  mapping.vaddr_valid = updated.has_value();
  return updated;
}

Expected<void> Type1Container::take_over_vaddrs() {
  adopting_ = true;
  Expected<void> taken = listen();
  if (taken) taken = check_nothing_else();
  adopting_ = false;
  return taken;
}

void Type1Container::forget_vaddrs() {
  forget();
}

/// A mapping that only the old process knew would keep an invalid vaddr for ever: no group could be attached any more
/// (vfio_iommu_type1_attach_group). Where nothing is mapped, invalidating finds nothing.
Expected<void> Type1Container::check_nothing_else() {
  std::uint64_t end = 0;
  for (const auto& [iova, mapping] : mappings()) {
    if (Expected<void> nothing = check_gap(end, iova); !nothing) return nothing;
    end = iova + mapping.size;
  }
  if (mappings().empty() || end != 0) return check_gap(end, 0);
  return {};
}

/// [first, end); an `end` of 0 is the end of the address space.
Expected<void> Type1Container::check_gap(std::uint64_t first, std::uint64_t end) {
  if (first == end && first != 0) return {};
  if (first == end && !mappings().empty()) return {};
  Expected<std::uint64_t> bytes =
      first == end ? invalidate(0, 0, abi::vfio_dma_unmap_flag_all) : invalidate(first, end - first, 0);
  if (bytes && *bytes == 0) return {};
  if (!bytes && bytes.error().os != os::Errno::einval) return std::unexpected(std::move(bytes.error()));
  return refuse(ErrorCode::bad_value, {"the kernel maps memory after ", Decimal(first), " that this VM does not have"});
}

}  // namespace vcpr::vfio
