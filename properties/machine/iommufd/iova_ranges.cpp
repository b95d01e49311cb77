// IOVA_RANGES and ALLOW_IOVAS: which addresses of an IOAS can be used.
#include <algorithm>
#include <utility>

#include "properties/machine/iommufd/handlers.hpp"
#include "properties/machine/iommufd/ioas.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// iommufd_ioas_load_iovas: EFAULT, EINVAL when empty or overlapping; what was read so far is in `ranges`.
os::Result<void> read_ranges(Command& command, const abi::iommu_ioas_allow_iovas& argument, IovaRange*& ranges) {
  auto* from = static_cast<std::byte*>(caller_pointer(argument.allowed_iovas));
  for (std::uint32_t i = 0; i < argument.num_iovas; ++i, from += sizeof(abi::iommu_iova_range)) {
    const auto range = copy_in<abi::iommu_iova_range>(command.context, from);
    if (!range) return std::unexpected(range.error());
    if (range->start >= range->last || find_range(ranges, range->start, range->last) != nullptr)
      return std::unexpected(Errno::einval);
    insert_range(command.context.machine, ranges, {range->start, range->last, nullptr, nullptr});
  }
  return {};
}

/// iopt_set_allow_iova.
os::Result<void> check_reserved(const Ioas& ioas, const IovaRange* ranges) {
  for (; ranges != nullptr; ranges = ranges->next)
    if (find_range(ioas.reserved, ranges->start, ranges->last) != nullptr) return std::unexpected(Errno::eaddrinuse);
  return {};
}

/// Writes the hole as long as there is room, and counts it.
os::Result<void> add_hole(Command& command, abi::iommu_ioas_iova_ranges& argument, std::uint32_t room,
                          const abi::iommu_iova_range& hole) {
  const std::uint32_t index = argument.num_iovas++;
  if (index >= room) return {};
  auto* to = static_cast<std::byte*>(caller_pointer(argument.allowed_iovas));
  return copy_out(command.context, is_bad(to) ? to : to + index * sizeof hole, hole);
}

}  // namespace

os::Result<void> ioas_iova_ranges(Command& command, abi::iommu_ioas_iova_ranges& argument) {
  if (argument.reserved != 0) return std::unexpected(Errno::eopnotsupp);
  const Ioas* ioas = command.iommufd.find_ioas(argument.ioas_id);
  if (ioas == nullptr) return std::unexpected(Errno::enoent);
  constexpr std::uint64_t last = ~std::uint64_t{0};
  const std::uint32_t room = std::exchange(argument.num_iovas, 0);
  argument.out_iova_alignment = ioas->alignment;
  std::uint64_t start = 0;
  bool at_end = false;
  for (const IovaRange* each = ioas->reserved; each != nullptr && !at_end; each = each->next) {
    if (each->start > start)
      if (auto done = add_hole(command, argument, room, {start, each->start - 1}); !done) return done;
    at_end = each->last == last;
    start = std::max(start, each->last + 1);
  }
  if (!at_end)
    if (auto done = add_hole(command, argument, room, {start, last}); !done) return done;
  if (auto done = command.respond(argument); !done) return done;
  if (argument.num_iovas > room) return std::unexpected(Errno::emsgsize);
  return {};
}

os::Result<void> ioas_allow_iovas(Command& command, abi::iommu_ioas_allow_iovas& argument) {
  if (argument.reserved != 0) return std::unexpected(Errno::eopnotsupp);
  Ioas* ioas = command.iommufd.find_ioas(argument.ioas_id);
  if (ioas == nullptr) return std::unexpected(Errno::enoent);
  IovaRange* ranges = nullptr;
  auto done = read_ranges(command, argument, ranges);
  if (done) done = check_reserved(*ioas, ranges);
  if (done) std::swap(ranges, ioas->allowed);
  clear_ranges(command.context.machine, ranges);
  return done;
}

}  // namespace vcpr::machine
