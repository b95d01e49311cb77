// IOAS_ALLOC, MAP, MAP_FILE, COPY, UNMAP.
#include "properties/machine/iommufd/mapping.hpp"

#include <algorithm>
#include <utility>

#include "properties/machine/iommufd/handlers.hpp"
#include "properties/machine/iommufd/ioas.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::uint64_t kEnd = ~std::uint64_t{0};
constexpr std::uint32_t kRights = abi::iommu_ioas_map_writeable | abi::iommu_ioas_map_readable;
constexpr std::uint32_t kMapFlags = abi::iommu_ioas_map_fixed_iova | kRights;

MapWish wish_of(std::uint32_t flags, std::uint64_t iova, std::uint64_t length) {
  MapWish wish;
  if ((flags & abi::iommu_ioas_map_fixed_iova) != 0) wish.iova = iova;
  wish.length = length;
  wish.readable = (flags & abi::iommu_ioas_map_readable) != 0;
  wish.writable = (flags & abi::iommu_ioas_map_writeable) != 0;
  return wish;
}

/// What MAP and MAP_FILE look at before the IOAS.
os::Result<void> check_map(std::uint32_t flags, std::uint64_t iova, std::uint64_t length) {
  if (iova == kEnd || length == kEnd) return std::unexpected(Errno::eoverflow);
  if ((flags & kRights) == 0) return std::unexpected(Errno::einval);
  return {};
}

/// iopt_map_common: takes over the reference of `pages`.
os::Result<std::uint64_t> map_pages(Context& context, Ioas& ioas, IoPages& pages, std::uint64_t start_byte,
                                    const MapWish& wish) {
  Machine::Impl& machine = context.machine;
  MapPart part{&pages, start_byte, wish.length, nullptr};
  os::Result<std::uint64_t> iova = std::unexpected(Errno::enomem);
  if (!context.fires(FaultPoint::ioctl_ioas_map_enomem)) iova = map_parts(machine, ioas, &part, wish);
  release_pages(machine, pages);
  return iova;
}

/// iopt_alloc_pages: no room for rounding up.
bool is_pages_length(std::uint64_t length) {
  return length != 0 && length <= kEnd - kPageBytes;
}

void forget_parts(Machine::Impl& machine, MapPart* parts) {
  while (parts != nullptr) {
    MapPart* part = std::exchange(parts, parts->next);
    release_pages(machine, *part->pages);
    machine.arena.destroy(part);
  }
}

/// iopt_get_pages: what is mapped at [iova, iova + length), which areas must cover without a gap. EINVAL, EOVERFLOW,
/// ENOENT.
os::Result<MapPart*> take_parts(Machine::Impl& machine, const Ioas& ioas, std::uint64_t iova, std::uint64_t length) {
  if (length == 0) return std::unexpected(Errno::einval);
  if (length - 1 > kEnd - iova) return std::unexpected(Errno::eoverflow);
  const std::uint64_t last = iova + length - 1;
  MapPart* parts = nullptr;
  MapPart** end = &parts;
  for (const IoArea* area = find_area(ioas, iova, last); area != nullptr && area->iova <= iova; area = area->next) {
    const std::uint64_t taken_to = std::min(last, area->last);
    const std::uint64_t start_byte = area->first_page * kPageBytes + area->page_offset + (iova - area->iova);
    ++area->pages->references;
    *end = machine.arena.make<MapPart>(MapPart{area->pages, start_byte, taken_to - iova + 1, nullptr});
    end = &(*end)->next;
    if (taken_to == last) return parts;
    iova = taken_to + 1;
  }
  forget_parts(machine, parts);
  return std::unexpected(Errno::enoent);
}

}  // namespace

os::Result<std::uint64_t> map_user_pages(Context& context, const IommufdContext& iommufd, Ioas& ioas,
                                         std::uint64_t address, const MapWish& wish) {
  if (wish.length > kEnd - address) return std::unexpected(Errno::eoverflow);
  if (!is_pages_length(wish.length)) return std::unexpected(Errno::einval);
  IoPages& pages = make_user_pages(context, iommufd.charges_mm, address, wish.length, wish.writable);
  return map_pages(context, ioas, pages, address % kPageBytes, wish);
}

os::Result<void> ioas_alloc(Command& command, abi::iommu_ioas_alloc& argument) {
  if (argument.flags != 0) return std::unexpected(Errno::eopnotsupp);
  Context& context = command.context;
  if (context.fires(FaultPoint::ioctl_ioas_alloc_enomem)) return std::unexpected(Errno::enomem);
  auto* made = context.machine.arena.make<Ioas>(++context.machine.iova_spaces);
  command.iommufd.objects.insert(*made);
  argument.out_ioas_id = made->id;
  return command.respond(argument);
}

os::Result<void> ioas_map(Command& command, abi::iommu_ioas_map& argument) {
  if ((argument.flags & ~kMapFlags) != 0 || argument.reserved != 0) return std::unexpected(Errno::eopnotsupp);
  if (auto done = check_map(argument.flags, argument.iova, argument.length); !done) return done;
  Ioas* ioas = command.iommufd.find_ioas(argument.ioas_id);
  if (ioas == nullptr) return std::unexpected(Errno::enoent);
  const MapWish wish = wish_of(argument.flags, argument.iova, argument.length);
  const auto iova = map_user_pages(command.context, command.iommufd, *ioas, argument.user_va, wish);
  if (!iova) return std::unexpected(iova.error());
  argument.iova = *iova;
  return command.respond(argument);
}

os::Result<void> ioas_map_file(Command& command, abi::iommu_ioas_map_file& argument) {
  if ((argument.flags & ~kMapFlags) != 0) return std::unexpected(Errno::eopnotsupp);
  if (auto done = check_map(argument.flags, argument.iova, argument.length); !done) return done;
  Ioas* ioas = command.iommufd.find_ioas(argument.ioas_id);
  if (ioas == nullptr) return std::unexpected(Errno::enoent);
  if (argument.length == 0) return std::unexpected(Errno::einval);
  if (argument.length - 1 > kEnd - argument.start) return std::unexpected(Errno::eoverflow);
  const Slot* slot = command.context.find(argument.fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  if (!is_pages_length(argument.length)) return std::unexpected(Errno::einval);
  const MapWish wish = wish_of(argument.flags, argument.iova, argument.length);
  IoPages& pages = make_file_pages(command.context, command.iommufd.charges_mm, slot->description->memory,
                                   argument.start, argument.length, wish.writable);
  const auto iova = map_pages(command.context, *ioas, pages, argument.start % kPageBytes, wish);
  if (!iova) return std::unexpected(iova.error());
  argument.iova = *iova;
  return command.respond(argument);
}

os::Result<void> ioas_copy(Command& command, abi::iommu_ioas_copy& argument) {
  if ((argument.flags & ~kMapFlags) != 0) return std::unexpected(Errno::eopnotsupp);
  if (argument.src_iova == kEnd) return std::unexpected(Errno::eoverflow);
  if (auto done = check_map(argument.flags, argument.dst_iova, argument.length); !done) return done;
  const Ioas* source = command.iommufd.find_ioas(argument.src_ioas_id);
  if (source == nullptr) return std::unexpected(Errno::enoent);
  Machine::Impl& machine = command.context.machine;
  const auto parts = take_parts(machine, *source, argument.src_iova, argument.length);
  if (!parts) return std::unexpected(parts.error());
  os::Result<std::uint64_t> iova = std::unexpected(Errno::enoent);
  if (Ioas* target = command.iommufd.find_ioas(argument.dst_ioas_id))
    iova = map_parts(machine, *target, *parts, wish_of(argument.flags, argument.dst_iova, argument.length));
  forget_parts(machine, *parts);
  if (!iova) return std::unexpected(iova.error());
  argument.dst_iova = *iova;
  return command.respond(argument);
}

os::Result<void> ioas_unmap(Command& command, abi::iommu_ioas_unmap& argument) {
  Ioas* ioas = command.iommufd.find_ioas(argument.ioas_id);
  if (ioas == nullptr) return std::unexpected(Errno::enoent);
  Machine::Impl& machine = command.context.machine;
  std::uint64_t unmapped = 0;
  if (argument.iova == 0 && argument.length == kEnd) {
    unmap_all(machine, *ioas, unmapped);
  } else {
    if (argument.iova == kEnd || argument.length == kEnd) return std::unexpected(Errno::eoverflow);
    if (argument.length == 0) return std::unexpected(Errno::einval);
    if (argument.length - 1 > kEnd - argument.iova) return std::unexpected(Errno::eoverflow);
    const std::uint64_t last = argument.iova + argument.length - 1;
    if (auto done = unmap_range(machine, *ioas, argument.iova, last, unmapped); !done) return done;
    if (unmapped == 0) return std::unexpected(Errno::enoent);
  }
  argument.length = unmapped;
  return command.respond(argument);
}

}  // namespace vcpr::machine
