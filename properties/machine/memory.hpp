// The contents of a memfd or file: sparse pages, size and seals, shared by descriptions and mappings.
#pragma once

#include <cstdint>
#include <span>

#include "properties/machine/arena.hpp"

namespace vcpr::machine {

inline constexpr std::uint64_t kPageBytes = 4096;

/// Pages by index; those never written read as zeros and cost nothing.
class SparsePages {
 public:
  const std::byte* find(std::uint64_t index) const;
  /// Null when the arena's limit is reached.
  std::byte* find_or_make(Arena& arena, std::uint64_t index);
  void clear(Arena& arena);
  /// Frees the pages from `first` on.
  void drop_from(Arena& arena, std::uint64_t first);
  void copy_from(Arena& arena, const SparsePages& other);
  /// Visits (index, page), in an order that only depends on what was done to the pages.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::uint32_t i = 0; i < capacity_; ++i)
      if (entries_[i].page != nullptr) visit(entries_[i].index, static_cast<const std::byte*>(entries_[i].page));
  }
  std::uint32_t count() const { return count_; }

 private:
  struct Entry {
    std::uint64_t index = 0;
    std::byte* page = nullptr;
  };
  Entry* probe(std::uint64_t index) const;
  void resize(Arena& arena, std::uint32_t capacity);

  Entry* entries_ = nullptr;
  std::uint32_t capacity_ = 0;  // a power of two, at most half full
  std::uint32_t count_ = 0;
};

class Memory {
 public:
  Memory(std::uint32_t seals, std::uint64_t inode) : inode_(inode), seals_(seals) {}

  std::uint64_t inode() const { return inode_; }
  std::uint64_t size() const { return size_; }
  /// Grows with a hole, shrinks for good; the caller has looked at the seals.
  void resize(Arena& arena, std::uint64_t size);
  std::uint32_t seals() const { return seals_; }
  void add_seals(std::uint32_t seals) { seals_ |= seals; }

  /// From `offset` to the end at most; returns how many.
  std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) const;
  /// Extends the size; returns how many were written before the arena's limit.
  std::size_t write(Arena& arena, std::uint64_t offset, std::span<const std::byte> bytes);
  const std::byte* find_page(std::uint64_t index) const { return pages_.find(index); }
  std::byte* find_or_make_page(Arena& arena, std::uint64_t index) { return pages_.find_or_make(arena, index); }
  const SparsePages& pages() const { return pages_; }
  void copy_pages_from(Arena& arena, const Memory& other) { pages_.copy_from(arena, other.pages_); }

  std::uint32_t references = 0;         ///< descriptions, mappings and pins
  std::uint32_t writable_pins = 0;      ///< long-term pins of a file: F_SEAL_WRITE finds them
  bool is_device = false;               ///< a BAR: no pages of the system's memory
  std::uint32_t writable_mappings = 0;  ///< shared mappings that are or may become writable
  void destroy(Arena& arena) { pages_.clear(arena); }

 private:
  std::uint64_t inode_;
  std::uint64_t size_ = 0;
  std::uint32_t seals_;
  SparsePages pages_;
};

void release(Arena& arena, Memory& memory);

}  // namespace vcpr::machine
