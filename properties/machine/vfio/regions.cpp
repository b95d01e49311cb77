#include "properties/machine/vfio/regions.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/memory.hpp"
#include "properties/machine/pci/config_space.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::uint64_t kOffsetMask = region_offset(1) - 1;

std::uint32_t region_of(std::uint64_t offset) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(offset >> 40, abi::vfio_pci_num_regions));
}

/// The widest access that is aligned and fits, as vfio_pci_core_do_io_rw splits one.
std::uint32_t width(std::uint64_t offset, std::size_t left) {
  const std::uint64_t aligned = std::min<std::uint64_t>(8, offset == 0 ? 8 : offset & ~(offset - 1));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(aligned, std::bit_floor(left)));
}

/// The table of MSI-X is the host's: it reads as ones and cannot be written.
bool is_vector_table(const PciModel& model, std::uint32_t bar, std::uint64_t offset) {
  return model.msix != 0 && bar == model.msix_bar && offset < model.msix_vectors * kTableEntryBytes;
}

bool is_pending_bits(const PciModel& model, std::uint32_t bar, std::uint64_t offset) {
  const std::uint32_t pending_bytes = (model.msix_vectors + 63u) / 64 * 8;
  return model.msix != 0 && bar == model.msix_bar && offset >= model.pending_bits &&
         offset < model.pending_bits + pending_bytes;
}

std::uint64_t read_bar(PciFunction& function, std::uint32_t bar, std::uint64_t offset, std::uint32_t bytes) {
  if (is_vector_table(function.model, bar, offset)) return ~std::uint64_t{0};
  if (!is_pending_bits(function.model, bar, offset)) return function.read_register(bar, offset, bytes);
  const auto first = static_cast<std::uint32_t>(8 * (offset - function.model.pending_bits));
  const std::uint32_t end = std::min<std::uint32_t>(first + 8 * bytes, function.model.msix_vectors);
  std::uint64_t bits = 0;
  for (std::uint32_t vector = first; vector < end; ++vector)
    if (function.pending[vector] != 0) bits |= std::uint64_t{1} << (vector - first);
  return bits;
}

/// How much of an access lies in the BAR; EINVAL where there is none, EIO where it does not answer.
os::Result<std::size_t> fit(const VfioDevice& device, std::uint32_t bar, std::uint64_t inside, std::size_t wanted) {
  const std::uint64_t end = region_bytes(device, bar);
  if (inside >= end) return std::unexpected(Errno::einval);
  if (device.function.model.bars[bar].is_memory && !device.function.decodes_memory())
    return std::unexpected(Errno::eio);
  return static_cast<std::size_t>(std::min<std::uint64_t>(wanted, end - inside));
}

}  // namespace

std::uint64_t region_bytes(const VfioDevice& device, std::uint32_t index) {
  const PciModel& model = device.function.model;
  if (index < kBars) return model.bars[index].bytes;
  return index == abi::vfio_pci_config_region_index ? model.config_bytes() : 0;
}

bool can_map_region(const VfioDevice& device, std::uint32_t index) {
  return index < kBars && device.function.model.bars[index].is_memory && region_bytes(device, index) >= kPageBytes;
}

os::Result<std::size_t> read_region(VfioDevice& device, std::span<std::byte> buffer, std::uint64_t offset) {
  const std::uint32_t region = region_of(offset);
  const std::uint64_t inside = offset & kOffsetMask;
  if (buffer.empty()) return 0;
  if (region == abi::vfio_pci_config_region_index) return read_config(device.function, buffer, inside);
  if (region >= kBars) return std::unexpected(Errno::einval);
  const auto count = fit(device, region, inside, buffer.size());
  if (!count) return count;
  for (std::size_t done = 0; done < *count;) {
    const std::uint32_t bytes = width(inside + done, *count - done);
    const std::uint64_t value = read_bar(device.function, region, inside + done, bytes);
    std::memcpy(buffer.data() + done, &value, bytes);
    done += bytes;
  }
  return count;
}

os::Result<std::size_t> write_region(VfioDevice& device, std::span<const std::byte> bytes, std::uint64_t offset) {
  const std::uint32_t region = region_of(offset);
  const std::uint64_t inside = offset & kOffsetMask;
  if (bytes.empty()) return 0;
  if (region == abi::vfio_pci_config_region_index) return write_config(device.function, bytes, inside);
  if (region >= kBars) return std::unexpected(Errno::einval);
  const auto count = fit(device, region, inside, bytes.size());
  if (!count) return count;
  for (std::size_t done = 0; done < *count;) {
    const std::uint32_t piece = width(inside + done, *count - done);
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + done, piece);
    if (!is_vector_table(device.function.model, region, inside + done))
      device.function.write_register(region, inside + done, value, piece);
    done += piece;
  }
  return count;
}

os::Result<void> map_region(VfioDevice& device, Mapping& mapping) {
  const std::uint32_t region = region_of(mapping.offset);
  if (!mapping.shared || !can_map_region(device, region)) return std::unexpected(Errno::einval);
  const std::uint64_t inside = mapping.offset & kOffsetMask;
  const std::uint64_t end = region_bytes(device, region);
  if (inside >= end || mapping.length > end - inside) return std::unexpected(Errno::einval);
  Arena& arena = device.machine.arena;
  Memory*& memory = device.function.bars[region];
  if (memory == nullptr) {
    memory = arena.make<Memory>(0u, ++device.machine.next_inode);
    memory->references = 1;  // the function's own
    memory->is_device = true;
    memory->resize(arena, end);
  }
  mapping.memory = memory;
  mapping.offset = inside;
  return {};
}

}  // namespace vcpr::machine
