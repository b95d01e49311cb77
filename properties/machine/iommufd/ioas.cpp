#include "properties/machine/iommufd/ioas.hpp"

#include <algorithm>
#include <utility>

#include "properties/machine/iommu.hpp"
#include "properties/machine/iommufd/iova.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;

namespace {

constexpr std::uint64_t kEnd = ~std::uint64_t{0};

/// iopt_insert_area: EPERM, EINVAL, EOVERFLOW.
os::Result<void> check_part(const Ioas& ioas, const MapPart& part, std::uint64_t iova, const MapWish& wish) {
  if (wish.writable && !part.pages->writable) return std::unexpected(Errno::eperm);
  if ((part.start_byte % kPageBytes & (ioas.alignment - 1)) != 0) return std::unexpected(Errno::einval);
  if (part.length - 1 > kEnd - iova || part.length - 1 > kEnd - part.start_byte)
    return std::unexpected(Errno::eoverflow);
  return {};
}

void insert_area(Ioas& ioas, IoArea& area) {
  IoArea** link = &ioas.areas;
  while (*link != nullptr && (*link)->iova < area.iova) link = &(*link)->next;
  area.next = *link;
  *link = &area;
}

IoArea& make_area(Machine::Impl& machine, const MapPart& part, std::uint64_t iova, const MapWish& wish) {
  auto* area = machine.arena.make<IoArea>();
  area->iova = iova;
  area->last = iova + part.length - 1;
  area->pages = part.pages;
  ++part.pages->references;
  area->first_page = part.start_byte / kPageBytes;
  area->last_page = (part.start_byte + part.length - 1) / kPageBytes;
  area->page_offset = part.start_byte % kPageBytes;
  area->readable = wish.readable;
  area->writable = wish.writable;
  return *area;
}

/// Takes it out of the list at `link`.
void destroy_area(Machine::Impl& machine, IoArea*& link) {
  IoArea* area = std::exchange(link, link->next);
  unpin_area(machine, *area);
  release_pages(machine, *area->pages);
  machine.arena.destroy(area);
}

os::Result<void> pin_areas(Machine::Impl& machine, Ioas& ioas) {
  for (IoArea* each = ioas.areas; each != nullptr; each = each->next) {
    auto done = pin_area(machine, *each);
    if (done) continue;
    for (IoArea* undone = ioas.areas; undone != each; undone = undone->next) unpin_area(machine, *undone);
    return done;
  }
  return {};
}

/// iopt_check_iova_alignment.
os::Result<void> check_alignment(const Ioas& ioas, std::uint64_t alignment) {
  const std::uint64_t mask = alignment - 1;
  for (const IoArea* each = ioas.areas; each != nullptr; each = each->next)
    if (((each->iova | (each->last - each->iova + 1) | each->page_offset) & mask) != 0)
      return std::unexpected(Errno::eaddrinuse);
  return {};
}

}  // namespace

void record_area(Machine::Impl& machine, const Ioas& ioas, const IoArea& area, IovaChangeKind kind, const Mm& owner) {
  const IoPages& pages = *area.pages;
  IovaChange change{machine.current_call, ioas.number, kind, area.iova, area.last - area.iova + 1};
  const std::uint64_t start = pages.start + area.first_page * kPageBytes + area.page_offset;
  if (!pages.is_file) change.vaddr = start;
  change.process = owner.process;
  const bool tells_pages = kind == IovaChangeKind::mapped || kind == IovaChangeKind::pinned;
  if (tells_pages && pages.file != nullptr) {
    change.memory = pages.file->inode();
    change.page = start / kPageBytes;
  }
  record_change(machine, change, tells_pages ? area.pins : Pins{});
}

IoArea* find_area(const Ioas& ioas, std::uint64_t start, std::uint64_t last) {
  IoArea* area = ioas.areas;
  while (area != nullptr && area->last < start) area = area->next;
  return area != nullptr && area->iova <= last ? area : nullptr;
}

IovaRange* find_range(IovaRange* ranges, std::uint64_t start, std::uint64_t last) {
  while (ranges != nullptr && ranges->start <= last && ranges->last < start) ranges = ranges->next;
  return ranges != nullptr && ranges->start <= last ? ranges : nullptr;
}

void insert_range(Machine::Impl& machine, IovaRange*& ranges, const IovaRange& range) {
  IovaRange** link = &ranges;
  while (*link != nullptr && (*link)->start < range.start) link = &(*link)->next;
  auto* made = machine.arena.make<IovaRange>(range);
  made->next = *link;
  *link = made;
}

void clear_ranges(Machine::Impl& machine, IovaRange*& ranges) {
  while (ranges != nullptr) machine.arena.destroy(std::exchange(ranges, ranges->next));
}

os::Result<std::uint64_t> map_parts(Machine::Impl& machine, Ioas& ioas, MapPart* parts, const MapWish& wish) {
  if (wish.length == 0 || (wish.length & (ioas.alignment - 1)) != 0) return std::unexpected(Errno::einval);
  const auto chosen = wish.iova ? check_iova(ioas, *wish.iova, wish.length)
                                : choose_iova(ioas, parts->pages->start + parts->start_byte, wish.length);
  if (!chosen) return chosen;
  std::uint64_t iova = *chosen;
  for (const MapPart* each = parts; each != nullptr; each = each->next) {
    if (auto done = check_part(ioas, *each, iova, wish); !done) return std::unexpected(done.error());
    iova += each->length;
  }
  iova = *chosen;
  os::Result<void> pinned;
  for (const MapPart* each = parts; each != nullptr && pinned; each = each->next) {
    IoArea& area = make_area(machine, *each, iova, wish);
    insert_area(ioas, area);
    if (ioas.domain_count != 0) pinned = pin_area(machine, area);
    iova += each->length;
  }
  IoArea** made = &ioas.areas;
  while (*made != nullptr && (*made)->iova < *chosen) made = &(*made)->next;
  while (*made != nullptr && (*made)->iova < iova) {
    if (!pinned) {
      destroy_area(machine, *made);
      continue;
    }
    record_area(machine, ioas, **made, IovaChangeKind::mapped, (*made)->pages->mm);
    made = &(*made)->next;
  }
  if (!pinned) return std::unexpected(pinned.error());
  return chosen;
}

os::Result<void> unmap_range(Machine::Impl& machine, Ioas& ioas, std::uint64_t start, std::uint64_t last,
                             std::uint64_t& unmapped) {
  IoArea** link = &ioas.areas;
  while (*link != nullptr && (*link)->last < start) link = &(*link)->next;
  while (*link != nullptr && (*link)->iova <= last) {
    const IoArea& area = **link;
    if (area.iova < start || area.last > last) return std::unexpected(Errno::enoent);
    unmapped += area.last - area.iova + 1;
    record_area(machine, ioas, area, IovaChangeKind::unmapped, area.pages->mm);
    destroy_area(machine, *link);
  }
  return {};
}

void unmap_all(Machine::Impl& machine, Ioas& ioas, std::uint64_t& unmapped) {
  (void)unmap_range(machine, ioas, 0, kEnd, unmapped);
}

os::Result<void> reserve_range(Machine::Impl& machine, Ioas& ioas, const IovaRange& range) {
  if (find_area(ioas, range.start, range.last) != nullptr ||
      find_range(ioas.allowed, range.start, range.last) != nullptr)
    return std::unexpected(Errno::eaddrinuse);
  insert_range(machine, ioas.reserved, range);
  return {};
}

void unreserve(Machine::Impl& machine, Ioas& ioas, const void* owner) {
  for (IovaRange** link = &ioas.reserved; *link != nullptr;) {
    if ((*link)->owner == owner)
      machine.arena.destroy(std::exchange(*link, (*link)->next));
    else
      link = &(*link)->next;
  }
}

os::Result<void> add_domain(Machine::Impl& machine, Ioas& ioas, const Hwpt& domain) {
  if (auto done = check_alignment(ioas, kPageBytes); ioas.alignment != kPageBytes && !done) return done;
  if (auto done = reserve_range(machine, ioas, {kLastIova + 1, kEnd, &domain, nullptr}); !done) return done;
  if (ioas.domain_count == 0) {
    if (auto done = pin_areas(machine, ioas); !done) {
      unreserve(machine, ioas, &domain);
      return done;
    }
    for (const IoArea* each = ioas.areas; each != nullptr; each = each->next)
      record_area(machine, ioas, *each, IovaChangeKind::pinned, each->pages->mm);
  }
  ioas.alignment = kPageBytes;
  ++ioas.domain_count;
  return {};
}

void remove_domain(Machine::Impl& machine, Ioas& ioas, const Hwpt& domain) {
  unreserve(machine, ioas, &domain);
  if (--ioas.domain_count != 0) return;
  for (IoArea* each = ioas.areas; each != nullptr; each = each->next) {
    unpin_area(machine, *each);
    record_area(machine, ioas, *each, IovaChangeKind::unpinned, each->pages->mm);
  }
  ioas.alignment = ioas.large_pages ? 1 : kPageBytes;
}

os::Result<void> disable_large_pages(Ioas& ioas) {
  if (!ioas.large_pages) return {};
  if (ioas.domain_count != 0 && ioas.areas != nullptr) return std::unexpected(Errno::einval);
  if (auto done = check_alignment(ioas, kPageBytes); !done) return done;
  ioas.large_pages = false;
  ioas.alignment = kPageBytes;
  return {};
}

void enable_large_pages(Ioas& ioas) {
  ioas.large_pages = true;
  ioas.alignment = ioas.domain_count != 0 ? kPageBytes : 1;
}

void empty_ioas(Machine::Impl& machine, Ioas& ioas) {
  std::uint64_t unmapped = 0;
  unmap_all(machine, ioas, unmapped);
  clear_ranges(machine, ioas.allowed);
  clear_ranges(machine, ioas.reserved);
}

}  // namespace vcpr::machine
