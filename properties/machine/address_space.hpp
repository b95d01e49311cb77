// A process's mappings as bookkeeping: nothing is mapped in the process that runs the machine.
#pragma once

#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"
#include "properties/machine/memory.hpp"

namespace vcpr::machine {

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t length = 0;  ///< bytes, whole pages
  int protection = 0;
  bool shared = false;
  bool may_write = false;      ///< mprotect may make it writable
  Memory* memory = nullptr;    ///< null: anonymous
  std::uint64_t offset = 0;    ///< of the first page in `memory`
  std::uint64_t own_base = 0;  ///< what address page 0 of `own` stands for; survives splits
  SparsePages own;             ///< copied or anonymous pages, by (address - own_base) / page
  Mapping* next = nullptr;

  std::uint64_t end() const { return start + length; }
};

/// Sorted, disjoint mappings. Shared anonymous memory is an unnamed Memory.
class AddressSpace {
 public:
  const Mapping* first() const { return first_; }
  const Mapping* find(std::uint64_t address) const;
  bool is_free(std::uint64_t start, std::uint64_t length) const;
  /// Lowest gap from the bottom of the area for mmap; 0 when there is none.
  std::uint64_t find_gap(std::uint64_t length) const;
  /// Takes over one reference of mapping.memory; the range must be free.
  void insert(Arena& arena, const Mapping& mapping);
  void remove(Arena& arena, std::uint64_t start, std::uint64_t length);
  /// Splits mappings so that none crosses `address`.
  void split_at(Arena& arena, std::uint64_t address);
  void protect(Mapping& mapping, int protection) { mapping.protection = protection; }
  Mapping* first() { return first_; }
  void copy_from(Arena& arena, const AddressSpace& other);
  void clear(Arena& arena);

  /// False where the CPU would fault; a store changes nothing then.
  bool load(std::uint64_t address, std::span<std::byte> bytes) const;
  bool store(Arena& arena, std::uint64_t address, std::span<const std::byte> bytes);

 private:
  void forget(Arena& arena, Mapping* mapping);
  bool accessible(std::uint64_t address, std::size_t bytes, int protection) const;

  Mapping* first_ = nullptr;
};

struct Context;
os::Result<os::UserAddr> do_mmap(Context& context, os::UserAddr address, std::uint64_t length, int protection,
                                 int flags, int fd, std::uint64_t offset);
os::Result<void> do_munmap(Context& context, os::UserAddr address, std::uint64_t length);
os::Result<void> do_mprotect(Context& context, os::UserAddr address, std::uint64_t length, int protection);

}  // namespace vcpr::machine
