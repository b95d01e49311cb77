#include "properties/streams/mutate.hpp"

#include <algorithm>
#include <cstring>

#include "properties/streams/damage.hpp"
#include "properties/streams/random.hpp"

namespace vcpr::streams {

namespace {

/// Junk and enlarged names stay small: the readers' limits are tested by streams that say they are long.
constexpr std::uint64_t kMaxGrowth = 64;

/// Half of the values are edges, the rest neighbours of what is there and noise.
std::uint64_t draw_value(Random& random, const Stream& stream, const Field& field) {
  auto edges = edge_values(field.size);
  if (!edges.empty() && random.one_in(2)) return edges[random.below(edges.size())];
  if (random.one_in(2)) return value_of(stream, field) + random.below(5) - 2;
  return random.next() >> random.below(64);
}

/// A position in the understood part, with every fourth at its boundary or behind.
std::uint32_t draw_offset(Random& random, const Stream& stream, const FieldMap& map) {
  if (random.one_in(4)) return static_cast<std::uint32_t>(map.end() + random.below(stream.size() - map.end() + 1));
  return static_cast<std::uint32_t>(random.below(map.end() + 1));
}

/// A field of this role, searched from a random one on.
std::uint32_t draw_field(Random& random, const FieldMap& map, vmstate::Role role) {
  std::size_t count = map.fields().size();
  std::size_t start = random.below(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t index = (start + i) % count;
    if (map.fields()[index].role == role) return static_cast<std::uint32_t>(index);
  }
  return static_cast<std::uint32_t>(start);
}

Damage draw_field_damage(Random& random, const Stream& stream, const FieldMap& map, Act act) {
  if (act == Act::set) {
    auto index = static_cast<std::uint32_t>(random.below(map.fields().size()));
    return {act, index, draw_value(random, stream, map.fields()[index])};
  }
  if (act == Act::resize) return {act, draw_field(random, map, vmstate::Role::length), random.below(kMaxGrowth)};
  std::uint32_t text = draw_field(random, map, vmstate::Role::text);
  if (act == Act::rename) return {act, text, random.below(reserved_names().size())};
  return {act, text, draw_field(random, map, vmstate::Role::text)};
}

Damage draw_group_damage(Random& random, const FieldMap& map, Act act) {
  auto count = map.groups().size();
  auto where = static_cast<std::uint32_t>(random.below(count + (act == Act::add_subsection ? 1 : 0)));
  return {act, where, random.below(act == Act::swap_groups ? count : subsections().size())};
}

Damage draw(Random& random, const Stream& stream, const FieldMap& map) {
  auto act = static_cast<Act>(random.below(kActs));
  if (act == Act::append) return {act, 0, 1 + random.below(kMaxGrowth)};
  if (act <= Act::copy_text && !map.fields().empty()) return draw_field_damage(random, stream, map, act);
  if (act >= Act::erase_group && !map.groups().empty()) return draw_group_damage(random, map, act);
  if (act != Act::truncate && act != Act::insert) act = Act::flip;
  return {act, draw_offset(random, stream, map), 1 + random.below(255)};
}

}  // namespace

std::size_t mutate(StreamKind kind, std::uint8_t* data, std::size_t size, std::size_t capacity, std::uint32_t seed) {
  Random random(seed);
  auto bytes = std::as_bytes(std::span(data, size));
  Stream stream(bytes.begin(), bytes.end());
  do {
    FieldMap map(stream, kind);
    apply(stream, map, draw(random, stream, map));
  } while (random.one_in(4));
  std::size_t kept = std::min(stream.size(), capacity);
  if (kept != 0) std::memcpy(data, stream.data(), kept);  // an empty stream has no data, not even to copy 0 bytes of
  return kept;
}

}  // namespace vcpr::streams
