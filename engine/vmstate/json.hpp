// A bounded JSON reader (RFC 8259) for the vmdescription that ends a main stream. Reads untrusted text: depth, size and
// number of values are limited, and every refusal names the byte.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"

namespace vcpr::vmstate {

/// QEMU's descriptions take 45 kB for a q35 machine, some ten levels deep.
inline constexpr std::uint64_t kMaxJsonBytes = 4u << 20;
inline constexpr std::uint32_t kMaxJsonDepth = 64;
inline constexpr std::uint32_t kMaxJsonValues = 1u << 19;

/// One value. Duplicate keys are kept, in order: QEMU writes them for the elements of a list.
struct JsonValue {
  enum class Type : std::uint8_t { null, boolean, integer, other_number, string, array, object };
  Type type = Type::null;
  bool truth = false;            ///< boolean
  std::uint32_t first = 0;       ///< of its children, as a position in Json::values; 0: none
  std::uint32_t next = 0;        ///< sibling; 0: none
  std::uint64_t offset = 0;      ///< of its first byte in the text
  std::uint64_t number = 0;      ///< integer: not negative, at most 2^64 - 1
  std::string_view key = {};     ///< as a member of an object, unescaped
  std::string_view string = {};  ///< string, unescaped
};

class Json {
 public:
  /// The text must outlive the result. bad_description at the offending byte, too_long.
  static Expected<Json> parse(std::string_view text);

  const JsonValue& root() const { return values_[0]; }
  /// The first member of that key, or null.
  const JsonValue* member(const JsonValue& object, std::string_view key) const;
  /// Calls visit(child) for each child until it answers false; answers whether none did.
  template <class Visit>
  bool each(const JsonValue& parent, Visit visit) const {
    for (std::uint32_t child = parent.first; child != 0; child = values_[child].next) {
      if (!visit(values_[child])) return false;
    }
    return true;
  }

 private:
  friend class JsonParser;
  std::vector<JsonValue> values_;
  std::list<std::string> unescaped_;  ///< strings that are not a view of the text
};

}  // namespace vcpr::vmstate
