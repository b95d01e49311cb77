#include "properties/machine/pins.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;

namespace {

/// Appends pages, as part of the last run where they go on.
void append(Machine::Impl& machine, Pins& pins, PinnedRun*& last, const PagePlace& place, std::uint64_t pages) {
  pins.pages += pages;
  if (last != nullptr && last->memory == place.memory && last->first + last->pages == place.index) {
    last->pages += pages;
    return;
  }
  auto* run = machine.arena.make<PinnedRun>(PinnedRun{place.memory, place.index, pages, nullptr});
  (last != nullptr ? last->next : pins.runs) = run;
  last = run;
}

/// How many pages from `address` to `end` lie side by side in one memory and need nothing made: a guest's memory is one
/// step, whatever its size. 1 for private memory of a file, whose pages are copied one by one.
std::uint64_t pages_alike(const Mapping& mapping, std::uint64_t address, std::uint64_t end) {
  if (!mapping.shared && mapping.memory != nullptr) return 1;
  std::uint64_t stop = std::min(end, mapping.end());
  if (mapping.memory != nullptr) {
    const std::uint64_t file_pages = (mapping.memory->size() + kPageBytes - 1) / kPageBytes;
    stop = std::min(stop, mapping.start + file_pages * kPageBytes - mapping.offset);
  }
  return (stop - address) / kPageBytes;
}

void hold(const Pins& pins) {
  for (PinnedRun* run = pins.runs; run != nullptr; run = run->next) {
    ++run->memory->references;
    run->memory->writable_pins += pins.writable;
  }
}

void forget(Machine::Impl& machine, Pins& pins) {
  while (pins.runs != nullptr) {
    PinnedRun* run = std::exchange(pins.runs, pins.runs->next);
    machine.arena.destroy(run);
  }
  pins.pages = 0;
}

}  // namespace

PagePlace Pins::at(std::uint64_t position) const {
  const PinnedRun* run = runs;
  while (position >= run->pages) {
    position -= run->pages;
    run = run->next;
  }
  return {run->memory, run->first + position};
}

os::Result<Pins> pin_user(Machine::Impl& machine, AddressSpace& space, std::uint64_t address, std::uint64_t length,
                          bool write) {
  Pins pins{.runs = nullptr, .pages = 0, .writable = write};
  PinnedRun* last = nullptr;
  for (std::uint64_t done = 0; done < length;) {
    const PagePlace place =
        write ? space.place_to_write(machine, address + done) : space.place_to_pin(machine, address + done);
    if (place.memory == nullptr) {
      forget(machine, pins);
      return std::unexpected(machine.arena.has_room_for(4 * kPageBytes) ? Errno::efault : Errno::enomem);
    }
    pins.is_device |= place.memory->is_device;
    const std::uint64_t pages = pages_alike(*space.find(address + done), address + done, address + length);
    append(machine, pins, last, place, pages);
    done += pages * kPageBytes;
  }
  hold(pins);
  return pins;
}

os::Result<Pins> pin_file(Machine::Impl& machine, Memory* file, std::uint64_t offset, std::uint64_t length,
                          bool write) {
  if (file == nullptr || file->is_device) return std::unexpected(Errno::einval);
  const std::uint64_t first = offset / kPageBytes;
  const std::uint64_t end = (offset + length + kPageBytes - 1) / kPageBytes;
  if (end < first || end > (file->size() + kPageBytes - 1) / kPageBytes) return std::unexpected(Errno::einval);
  Pins pins{.runs = nullptr, .pages = end - first, .writable = write};
  pins.runs = machine.arena.make<PinnedRun>(PinnedRun{file, first, end - first, nullptr});
  hold(pins);
  return pins;
}

void append_shared(Machine::Impl& machine, Pins& to, const Pins& from, std::uint64_t first, std::uint64_t count) {
  Pins part{.runs = nullptr, .pages = count, .writable = from.writable, .is_device = from.is_device};
  PinnedRun** link = &part.runs;
  for (const PinnedRun* run = from.runs; count != 0; run = run->next) {
    if (first >= run->pages) {
      first -= run->pages;
      continue;
    }
    const std::uint64_t taken = std::min(count, run->pages - first);
    *link = machine.arena.make<PinnedRun>(PinnedRun{run->memory, run->first + first, taken, nullptr});
    link = &(*link)->next;
    count -= taken;
    first = 0;
  }
  hold(part);
  append_pins(to, part);
}

void append_pins(Pins& to, Pins& from) {
  PinnedRun** end = &to.runs;
  while (*end != nullptr) end = &(*end)->next;
  *end = std::exchange(from.runs, nullptr);
  to.pages += std::exchange(from.pages, 0);
  to.writable |= from.writable;
  to.is_device |= from.is_device;
}

void unpin(Machine::Impl& machine, Pins& pins) {
  for (PinnedRun* run = pins.runs; run != nullptr; run = run->next) {
    run->memory->writable_pins -= pins.writable;
    release(machine.arena, *run->memory);
  }
  forget(machine, pins);
}

void read_page(const PagePlace& place, std::uint64_t inside, std::span<std::byte> bytes) {
  const std::byte* page = place.memory->find_page(place.index);
  if (page != nullptr)
    std::memcpy(bytes.data(), page + inside, bytes.size());
  else
    std::memset(bytes.data(), 0, bytes.size());
}

bool write_page(Machine::Impl& machine, const PagePlace& place, std::uint64_t inside,
                std::span<const std::byte> bytes) {
  std::byte* page = place.memory->find_or_make_page(machine.arena, place.index);
  if (page == nullptr) return false;
  std::memcpy(page + inside, bytes.data(), bytes.size());
  return true;
}

}  // namespace vcpr::machine
