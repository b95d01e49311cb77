// Damage to a stream as a value: the mutators draw it, the systematic tests enumerate it, both apply it here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "properties/streams/field_map.hpp"

namespace vcpr::streams {

enum class Act : std::uint8_t {
  set,             ///< field `where` gets the value `value`: lengths no longer count what they count
  resize,          ///< what length field `where` counts gets `value` bytes, and the length says so
  rename,          ///< text field `where` becomes reserved_names()[value], its length repaired
  copy_text,       ///< text field `where` becomes that of text field `value`: a duplicate key
  flip,            ///< byte `where` is xor-ed with `value`
  truncate,        ///< the stream ends before byte `where`
  insert,          ///< the byte `value` is put before byte `where`
  erase_group,     ///< group `where` is missing
  repeat_group,    ///< group `where` stands twice
  swap_groups,     ///< groups `where` and `value` change places
  add_subsection,  ///< subsections()[value] is put before group `where`, or at the end
  append,          ///< `value` bytes of junk follow the stream
};
inline constexpr std::size_t kActs = 12;

struct Damage {
  Act act{};
  std::uint32_t where = 0;
  std::uint64_t value = 0;
};

/// What a name can be changed to: those CPR reserves, and those no writer sends (empty, a NUL inside, 0xff, too long).
std::span<const std::string_view> reserved_names();

/// Bytes of whole subsections: of another owner, unknown under this state's prefix, the real one, cut short.
std::span<const std::string_view> subsections();

/// The values at the edges of an integer of `size` bytes, and of the limits that the formats have.
std::span<const std::uint64_t> edge_values(std::size_t size);

/// Applies it; positions outside the stream do nothing. A repaired length is written as wide as it is, and wraps.
void apply(Stream& stream, const FieldMap& map, const Damage& damage);

/// Calls visit for every damage to single fields and groups that changes the stream: each byte cut and flipped, each
/// field at its edges, each group missing, twice, swapped with the next, each subsection at each place.
void for_each_damage(const Stream& stream, const FieldMap& map, const std::function<void(const Damage&)>& visit);

/// "set fds[3].id to 4294967295": the name of a case, and a line of an explanation.
std::string describe(const FieldMap& map, const Damage& damage);

/// The beginning of `first` up to a group, and the end of `second` from a group.
Stream splice(const Stream& first, const FieldMap& first_map, std::size_t first_group, const Stream& second,
              const FieldMap& second_map, std::size_t second_group);

}  // namespace vcpr::streams
