// What an entry of the descriptor table is called, and which names can be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/wire/inbox.hpp"

namespace vcpr::store {

/// Longest name without its NUL. QEMU device paths and object ids stay far below; more is a damaged stream.
inline constexpr std::size_t kMaxNameBytes = 1023;

/// Entries of one table, and records of one list: what one stream can carry.
inline constexpr std::size_t kMaxEntries = wire::kMaxStateDescriptors;

/// A key; borrowed text.
struct Key {
  std::string_view name;
  std::int32_t id = 0;
  bool operator==(const Key&) const = default;
};

/// What is wrong with a name that was made to collide with many others; follows the entry or device.
inline constexpr std::string_view kCrowded = ": too many names before it have its hash";

/// Whether check_name would accept it.
inline bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name.find('\0') == std::string_view::npos;
}
/// Names travel with a final NUL: bad_text (empty, or a NUL inside), bad_length (beyond kMaxNameBytes).
Expected<void> check_name(std::string_view name);

/// `entry "ram0" id 0`, for errors.
std::string describe(Key key);

}  // namespace vcpr::store
