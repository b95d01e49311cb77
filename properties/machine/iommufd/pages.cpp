#include "properties/machine/iommufd/pages.hpp"

#include <algorithm>

#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;

namespace {

IoPages& make_pages(Context& context, bool per_mm, std::uint64_t start, std::uint64_t length, bool writable) {
  auto* made = context.machine.arena.make<IoPages>();
  made->references = 1;
  made->writable = writable;
  made->mode = per_mm ? AccountMode::mm : AccountMode::user;
  if (context.process.can_lock_memory) made->mode = AccountMode::none;
  made->start = start & ~(kPageBytes - 1);
  made->count = (start % kPageBytes + length + kPageBytes - 1) / kPageBytes;
  made->mm = Mm::of(context.process);
  return *made;
}

/// Consecutive pages that one other area has pinned, or none.
struct Stretch {
  const IoArea* holder = nullptr;
  std::uint64_t count = 0;
};

/// From page `first` on, at most to the end of `area`.
Stretch next_stretch(const IoArea& area, std::uint64_t first) {
  std::uint64_t end = area.last_page + 1;
  for (const IoArea* each = area.pages->pinned_areas; each != nullptr; each = each->next_pinned) {
    if (each == &area || each->last_page < first) continue;
    if (each->first_page <= first) return {each, std::min(end, each->last_page + 1) - first};
    end = std::min(end, each->first_page);
  }
  return {nullptr, end - first};
}

/// How many pages of `area` no other area has pinned.
std::uint64_t own_pages(const IoArea& area) {
  std::uint64_t own = 0;
  Stretch stretch;
  for (std::uint64_t page = area.first_page; page <= area.last_page; page += stretch.count) {
    stretch = next_stretch(area, page);
    if (stretch.holder == nullptr) own += stretch.count;
  }
  return own;
}

os::Result<Pins> pin_fresh(Machine::Impl& machine, const IoPages& pages, std::uint64_t first, std::uint64_t count) {
  const std::uint64_t start = pages.start + first * kPageBytes;
  // Any pin of a file keeps F_SEAL_WRITE away, not only one for writing
  if (pages.is_file) return pin_file(machine, pages.file, start, count * kPageBytes, true);
  if (!pages.mm.has_users()) return std::unexpected(Errno::efault);
  auto pins = pin_user(machine, pages.mm.process->space, start, count * kPageBytes, pages.writable);
  if (!pins || !pins->is_device) return pins;
  unpin(machine, *pins);  // pin_user_pages does not take VM_PFNMAP
  return std::unexpected(Errno::efault);
}

os::Result<void> collect_pins(Machine::Impl& machine, IoArea& area) {
  Stretch stretch;
  for (std::uint64_t page = area.first_page; page <= area.last_page; page += stretch.count) {
    stretch = next_stretch(area, page);
    if (stretch.holder != nullptr) {
      append_shared(machine, area.pins, stretch.holder->pins, page - stretch.holder->first_page, stretch.count);
      continue;
    }
    auto fresh = pin_fresh(machine, *area.pages, page, stretch.count);
    if (!fresh) return std::unexpected(fresh.error());
    append_pins(area.pins, *fresh);
  }
  return {};
}

std::uint64_t* pin_counter(const IoPages& pages) {
  return pages.mm.has_users() ? &pages.mm.process->space.pinned_pages : nullptr;
}

}  // namespace

IoPages& make_user_pages(Context& context, bool per_mm, std::uint64_t address, std::uint64_t length, bool writable) {
  return make_pages(context, per_mm, address, length, writable);
}

IoPages& make_file_pages(Context& context, bool per_mm, Memory* file, std::uint64_t start, std::uint64_t length,
                         bool writable) {
  IoPages& made = make_pages(context, per_mm, start, length, writable);
  made.is_file = true;
  made.file = file;
  if (file != nullptr) ++file->references;
  return made;
}

void release_pages(Machine::Impl& machine, IoPages& pages) {
  if (--pages.references != 0) return;
  if (pages.file != nullptr) release(machine.arena, *pages.file);
  machine.arena.destroy(&pages);
}

os::Result<void> charge_pages(Machine::Impl& machine, IoPages& pages, std::uint64_t count) {
  if (pages.mode == AccountMode::user) {
    const std::uint64_t limit = pages.mm.process->memlock_limit / kPageBytes;
    if (count > limit || machine.user_locked_pages > limit - count) return std::unexpected(Errno::enomem);
    machine.user_locked_pages += count;
  }
  // A dead mm can still be charged for pages of a file; nobody will see it
  if (pages.mode == AccountMode::mm && pages.mm.has_users())
    if (auto done = charge_locked(pages.mm, count, false); !done) return done;
  pages.charged = pages.pinned;
  if (std::uint64_t* counter = pin_counter(pages)) *counter += count;
  return {};
}

os::Result<void> uncharge_pages(Machine::Impl& machine, IoPages& pages, std::uint64_t count) {
  if (pages.mode == AccountMode::user && machine.user_locked_pages >= count) machine.user_locked_pages -= count;
  if (pages.mode == AccountMode::mm) {
    if (!pages.mm.has_users()) return std::unexpected(Errno::einval);
    uncharge_locked(pages.mm, count);
  }
  pages.charged = pages.pinned;
  if (std::uint64_t* counter = pin_counter(pages)) *counter -= count;
  return {};
}

os::Result<void> pin_area(Machine::Impl& machine, IoArea& area) {
  IoPages& pages = *area.pages;
  const std::uint64_t own = own_pages(area);
  if (auto done = collect_pins(machine, area); !done) {
    unpin(machine, area.pins);
    return done;
  }
  pages.pinned += own;
  if (pages.pinned > pages.charged)
    if (auto done = charge_pages(machine, pages, pages.pinned - pages.charged); !done) {
      pages.pinned -= own;
      unpin(machine, area.pins);
      return done;
    }
  area.is_pinned = true;
  area.next_pinned = pages.pinned_areas;
  pages.pinned_areas = &area;
  return {};
}

void unpin_area(Machine::Impl& machine, IoArea& area) {
  if (!area.is_pinned) return;
  IoPages& pages = *area.pages;
  IoArea** link = &pages.pinned_areas;
  while (*link != &area) link = &(*link)->next_pinned;
  *link = area.next_pinned;
  area.is_pinned = false;
  pages.pinned -= own_pages(area);
  unpin(machine, area.pins);
  if (pages.pinned < pages.charged) (void)uncharge_pages(machine, pages, pages.charged - pages.pinned);
}

}  // namespace vcpr::machine
