// A process's mappings as bookkeeping: nothing is mapped in the process that runs the machine.
#pragma once

#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"
#include "properties/machine/machine.hpp"
#include "properties/machine/memory.hpp"
#include "properties/machine/sorted_list.hpp"

namespace vcpr::machine {

struct Description;

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t length = 0;  ///< bytes, whole pages
  int protection = 0;
  bool shared = false;
  bool may_write = false;       ///< mprotect may make it writable
  Memory* memory = nullptr;     ///< null: private anonymous
  std::uint64_t offset = 0;     ///< of the first page in `memory`
  std::uint64_t own_base = 0;   ///< what address page 0 of `own` stands for; survives splits
  Memory* own = nullptr;        ///< private pages, by (address - own_base) / page; null until the first. Split halves
                                ///< share it, pins keep it.
  Description* file = nullptr;  ///< of a device whose BAR this is: the mapping keeps it open

  std::uint64_t end() const { return start + length; }
  std::uint64_t last() const { return end() - 1; }
};

/// A physical page: what the CPU, an IOMMU and a file have in common. Nothing moves it.
struct PagePlace {
  Memory* memory = nullptr;
  std::uint64_t index = 0;
};

/// Sorted, disjoint mappings. Shared anonymous memory is an unnamed Memory.
class AddressSpace {
 public:
  using Mappings = SortedList<Mapping, &Mapping::last>;

  const Mappings& mappings() const { return mappings_; }
  const Mapping* find(std::uint64_t address) const;
  bool is_free(std::uint64_t start, std::uint64_t length) const;
  /// Lowest gap from the bottom of the area for mmap; 0 when there is none.
  std::uint64_t find_gap(std::uint64_t length) const;
  /// Takes over one reference of mapping.memory; the range must be free.
  void insert(Arena& arena, const Mapping& mapping);
  void remove(Machine::Impl& machine, std::uint64_t start, std::uint64_t length);
  /// Splits mappings so that none crosses `address`.
  void split_at(Arena& arena, std::uint64_t address);
  void copy_from(Arena& arena, const AddressSpace& other);
  void clear(Machine::Impl& machine);
  /// The page that a store at `address` would go to, made if need be; memory is null where there is no mapping or no
  /// room, or the CPU would fault.
  PagePlace place_to_write(Machine::Impl& machine, std::uint64_t address);
  /// The same for a long-term pin without writing: private memory is made this process's own first.
  PagePlace place_to_pin(Machine::Impl& machine, std::uint64_t address);

  std::uint64_t locked_pages = 0;  ///< VmLck: charged by type1, or by iommufd in RLIMIT_MODE 1
  std::uint64_t pinned_pages = 0;  ///< VmPin: charged by iommufd

  /// False where the CPU would fault; a store changes nothing then.
  bool load(std::uint64_t address, std::span<std::byte> bytes) const;
  bool store(Machine::Impl& machine, std::uint64_t address, std::span<const std::byte> bytes);

 private:
  void forget(Machine::Impl& machine, Mapping* mapping);
  bool accessible(std::uint64_t address, std::size_t bytes, int protection) const;

  static constexpr std::uint64_t kMmapBase = 0x7000'0000'0000;  ///< where the kernel's choice begins

  Mappings mappings_;
  std::uint64_t full_to_ = kMmapBase;  ///< from kMmapBase up to here is no gap
};

struct Context;
os::Result<os::UserAddr> do_mmap(Context& context, os::UserAddr address, std::uint64_t length, int protection,
                                 int flags, int fd, std::uint64_t offset);
os::Result<void> do_munmap(Context& context, os::UserAddr address, std::uint64_t length);
os::Result<void> do_mprotect(Context& context, os::UserAddr address, std::uint64_t length, int protection);

}  // namespace vcpr::machine
