// The descriptor table of CPR ("fd store"): which descriptor survives under which name.
//
// Keys are (name, id) and unique. An entry owns its descriptor; removing the entry closes it. Only the names that CPR
// saves once per group (may_share) may refer to a descriptor that another entry holds; the number is then owned by all
// of them together and closed with the last. Every operation but walk is O(1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/os/fd.hpp"

namespace vcpr::store {

/// Longest name without its NUL. QEMU device paths and object ids stay far below; more is a damaged stream.
inline constexpr std::size_t kMaxNameBytes = 1023;

/// A key; borrowed text.
struct Key {
  std::string_view name;
  std::int32_t id = 0;
};

/// What walk shows of an entry. Views die with the next change of the table.
struct Entry {
  Key key;
  int number = -1;       ///< borrowed; for a syscall at once
  bool claimed = false;  ///< an object of this process has taken responsibility for it
};

class DescriptorTable {
 public:
  DescriptorTable();
  DescriptorTable(DescriptorTable&&) noexcept;
  DescriptorTable& operator=(DescriptorTable&&) noexcept;
  ~DescriptorTable();

  /// Adds an entry. duplicate_key, bad_text (empty, NUL inside), bad_length (name), bad_descriptor (fd not open),
  /// same_descriptor (number held under a name that may not share). On error `fd` is closed unless the table already
  /// holds the same number.
  Expected<void> save(Key key, os::Fd fd);
  /// Adds a further key for a descriptor the table holds already. missing_key (`existing`), duplicate_key,
  /// same_descriptor when either name may not share.
  Expected<void> share(Key key, Key existing);
  /// QEMU's cpr_resave_fd: absent -> as save; present with the same number -> nothing (and `number` stays owned as it
  /// was); present with another -> different_descriptor.
  Expected<void> resave(Key key, os::Kernel& kernel, int number);
  /// Borrowed number, or missing_key.
  Expected<int> find(Key key) const;
  bool contains(Key key) const;
  /// find, and mark it as taken by an object of this process: missing_key, key_in_use when claimed before.
  Expected<int> claim(Key key);
  /// Undo of claim, for roll-back. missing_key.
  Expected<void> unclaim(Key key);
  /// Drops the entry and closes the descriptor with its last key. missing_key.
  Expected<void> remove(Key key);
  /// Drops the entry without closing: missing_key, same_descriptor while other keys share it.
  Expected<os::Fd> take(Key key);
  /// QEMU's cpr_get_fd_param, old side: saves the descriptor the user gave. New side: claim().
  /// (`incoming` chooses.) missing_key in new is an error here, never a silent -1.
  Expected<int> get_parameter(Key key, os::Kernel& kernel, int given, bool incoming);

  std::size_t size() const;
  /// Entry by position 0..size()-1 in order of insertion; a load keeps the order of the stream.
  Entry at(std::size_t position) const;
  /// Calls visit(Entry) for each in order of insertion; visit must not change the table.
  template <class Visit>
  void walk(Visit visit) const {
    for (std::size_t position = 0; position < size(); ++position) visit(at(position));
  }
  /// The first entry that nobody has claimed and `optional` does not name: unclaimed. Otherwise success.
  Expected<void> check_all_claimed(std::span<const Key> optional = {}) const;
  /// Grows with every change; a saved copy tells whether the table is still the one that was sent (W1-W3).
  std::uint64_t generation() const;
  /// Room for this many entries without growing; a loader knows the order of magnitude.
  void reserve(std::size_t entries, std::size_t name_bytes);

 private:
  // the room's owner fills this in
};

/// True for the names that CPR saves once per group although they are one descriptor: vfio_container_for_group.
bool may_share(std::string_view name);

}  // namespace vcpr::store
