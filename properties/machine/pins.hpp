// Long-term pins: the physical pages behind part of an address space or a file, kept whatever becomes of the mapping,
// the descriptor or the process (mm/gup.c). What type1 and iommufd map for a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"
#include "properties/machine/address_space.hpp"
#include "properties/machine/memory.hpp"

namespace vcpr::machine {

/// Consecutive pages of one memory. Lives in the arena, in a list by ascending position.
struct PinnedRun {
  Memory* memory = nullptr;
  std::uint64_t first = 0;  ///< index of the first page in `memory`
  std::uint64_t pages = 0;
  PinnedRun* next = nullptr;
};

/// Pages in the order of the range that was pinned.
struct Pins {
  PinnedRun* runs = nullptr;
  std::uint64_t pages = 0;
  bool writable = false;
  bool is_device = false;  ///< a BAR: mapped without pins and without a charge (PFNMAP)

  /// The page at this position in the range, which must be below `pages`.
  PagePlace at(std::uint64_t position) const;
};

/// The pages of [address, address + length), both multiples of the page size. EFAULT where nothing is mapped, or not
/// writable though `write`; ENOMEM when the machine has no room. Nothing is held then.
os::Result<Pins> pin_user(Machine::Impl& machine, AddressSpace& space, std::uint64_t address, std::uint64_t length,
                          bool write);
/// The pages of a file from `offset` on: EINVAL for anything but a memfd or file, or beyond its end rounded up to a
/// page (memfd_pin_folios). `write` is counted against F_SEAL_WRITE whatever the descriptor's rights.
os::Result<Pins> pin_file(Machine::Impl& machine, Memory* file, std::uint64_t offset, std::uint64_t length, bool write);
/// Adds a second holder of `count` pages of `from`, from position `first` on, to the end of `to`.
void append_shared(Machine::Impl& machine, Pins& to, const Pins& from, std::uint64_t first, std::uint64_t count);
/// Moves all of `from` to the end of `to`.
void append_pins(Pins& to, Pins& from);
void unpin(Machine::Impl& machine, Pins& pins);

/// One access of a device within one page; a write is false when the machine has no room for the page.
void read_page(const PagePlace& place, std::uint64_t inside, std::span<std::byte> bytes);
bool write_page(Machine::Impl& machine, const PagePlace& place, std::uint64_t inside, std::span<const std::byte> bytes);

}  // namespace vcpr::machine
