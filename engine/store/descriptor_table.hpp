// The descriptor table of CPR ("fd store"): which descriptor survives under which name.
//
// Keys are (name, id) and unique. An entry owns its descriptor; removing the entry closes it. Only the names that CPR
// saves once per group (may_share) may refer to a descriptor that another entry holds; the number is then owned by all
// of them together and closed with the last. A table holds the descriptors of one process: the Kernel of its first
// entry. Every operation but walking is O(1).
//
// In a real stream vfio_container_for_group comes once per group. Over a socket each arrives as a number of its own
// (SCM_RIGHTS duplicates), and nothing tells the table that they are one file; after exec they come as one number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/os/fd.hpp"
#include "engine/store/hash_index.hpp"
#include "engine/store/key.hpp"
#include "engine/store/keyed_list.hpp"

namespace vcpr::store {

/// What walking shows of an entry. Views die with the next change of the table.
struct Entry {
  Key key;
  int number = -1;       ///< borrowed; for a syscall at once
  bool claimed = false;  ///< an object of this process has taken responsibility for it
};

class DescriptorTable {
 public:
  DescriptorTable() = default;
  DescriptorTable(DescriptorTable&&) noexcept;
  DescriptorTable& operator=(DescriptorTable&&) noexcept;
  ~DescriptorTable();

  /// Adds an entry. duplicate_key, bad_text and bad_length (check_name), bad_descriptor (fd not open, or of another
  /// Kernel), same_descriptor (number held, and either name may not share), too_long (kMaxEntries, or more names made
  /// to collide than HashIndex::kMaxProbes). On error `fd` is closed unless the table already holds the same number.
  Expected<void> save(const Key& key, os::Fd fd);
  /// save for a bare number: on error it stays the caller's, open.
  Expected<void> adopt(const Key& key, os::Kernel& kernel, int number) { return insert(key, &kernel, number); }
  /// Adds a further key for a descriptor the table holds already. missing_key (`existing`), and the errors of save.
  Expected<void> share(Key key, Key existing);
  /// QEMU's cpr_resave_fd: absent -> adopt; present with the same number -> nothing; present with another ->
  /// different_descriptor, and `number` stays the caller's.
  Expected<void> resave(Key key, os::Kernel& kernel, int number);
  /// Borrowed number, or missing_key.
  Expected<int> find(Key key) const;
  bool contains(Key key) const { return entries_.find(key) != kNowhere; }
  /// An entry that holds this number, if any does.
  std::optional<Entry> find_number(int number) const;
  /// find, and mark it as taken by an object of this process: missing_key, key_in_use when claimed before.
  Expected<int> claim(Key key);
  /// Undo of claim, for roll-back. missing_key.
  Expected<void> unclaim(Key key);
  /// Drops the entry and closes the descriptor with its last key; for the object that saved or claimed it. missing_key.
  Expected<void> remove(Key key);
  /// Drops the entry without closing: missing_key, same_descriptor while other keys share it.
  Expected<os::Fd> take(Key key);
  /// QEMU's cpr_get_fd_param. Old process (`incoming` false): adopts the descriptor the user gave. New process: claims
  /// what came under the key; a missing one is missing_key, never a silent -1.
  Expected<int> get_parameter(Key key, os::Kernel& kernel, int given, bool incoming);
  /// Forgets every entry without closing any: for a refused load whose descriptors belong to the process anyway.
  void disown();

  std::size_t size() const { return entries_.size(); }
  /// Walks the entries in order of insertion; a load keeps the order of the stream.
  class Iterator;
  Iterator begin() const;
  Iterator end() const;

  /// The first entry that nobody has claimed and `optional` does not name: unclaimed. Otherwise success.
  Expected<void> check_all_claimed(std::span<const Key> optional = {}) const;
  /// Grows with every change of what a save would write; a copy tells whether the table is still the one that was
  /// sent (QEMU sends it while the guest still runs and can change it).
  std::uint64_t generation() const { return generation_; }
  /// Room for this many entries without growing. For counts that were verified.
  void reserve(std::size_t entries, std::size_t name_bytes);

 private:
  static constexpr std::uint32_t kNowhere = HashIndex::kNowhere;

  /// Entries that share a number form a ring.
  struct Held {
    std::int32_t number;
    std::uint32_t next_sharer;
    std::uint32_t previous_sharer;
    bool claimed;
  };

  Expected<std::uint32_t> position_of(Key key) const;
  std::uint32_t holder_of(int number) const;
  Entry entry_at(std::uint32_t position) const;
  Expected<void> insert(const Key& key, os::Kernel* kernel, int number);
  Expected<void> check_new(const Key& key, std::uint32_t hash, os::Kernel* kernel, int number,
                           std::uint32_t holder) const;
  void join(std::uint32_t position, std::uint32_t holder);
  bool leave(std::uint32_t position);
  bool drop(std::uint32_t position);
  void relink();
  void close_all();

  KeyedList<Held> entries_;
  /// number -> one of its holders, while entries_ is indexed.
  HashIndex numbers_;
  os::Kernel* kernel_ = nullptr;
  std::uint64_t generation_ = 0;
};

class DescriptorTable::Iterator {
 public:
  Iterator(const DescriptorTable& table, std::uint32_t position) : table_(&table), position_(position) {}
  Entry operator*() const { return table_->entry_at(position_); }
  Iterator& operator++() {
    position_ = table_->entries_.next(position_);
    return *this;
  }
  bool operator==(const Iterator&) const = default;

 private:
  const DescriptorTable* table_;
  std::uint32_t position_;
};

inline DescriptorTable::Iterator DescriptorTable::begin() const {
  return {*this, entries_.first()};
}
inline DescriptorTable::Iterator DescriptorTable::end() const {
  return {*this, kNowhere};
}

/// True for the name that CPR saves once per group although the descriptor is one: vfio_container_for_group (QEMU
/// hw/vfio/container.c).
bool may_share(std::string_view name);

}  // namespace vcpr::store
