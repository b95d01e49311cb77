#include "properties/streams/damage.hpp"

#include <algorithm>
#include <array>

namespace vcpr::streams {

namespace {

using vmstate::Role;
using Place = std::ptrdiff_t;

Stream::iterator at(Stream& stream, std::uint64_t offset) {
  return stream.begin() + static_cast<Place>(offset);
}

bool is_integer(const Field& field) {
  return !edge_values(field.size).empty() && field.role != Role::text && field.role != Role::buffer &&
         field.role != Role::description;
}

void put_value(Stream& stream, const Field& field, std::uint64_t value) {
  for (std::size_t i = 0; i < field.size && i < 8; ++i) {
    stream[field.offset + field.size - 1 - i] = static_cast<std::byte>(value >> 8 * i);
  }
}

/// Puts `content` in the place of field `index`, and its size into the length field before it.
void replace(Stream& stream, const FieldMap& map, std::size_t index, std::span<const std::byte> content) {
  const Field& old = map.fields()[index];
  if (index > 0 && map.counted_by(index - 1)) put_value(stream, map.fields()[index - 1], content.size());
  auto hole = stream.erase(at(stream, old.offset), at(stream, old.offset + old.size));
  stream.insert(hole, content.begin(), content.end());
}

Stream content_of(const Stream& stream, const Field& field) {
  return {stream.begin() + field.offset, stream.begin() + field.offset + field.size};
}

/// The part that a group takes.
Stream content_of(const Stream& stream, const Group& group) {
  return {stream.begin() + group.offset, stream.begin() + group.offset + group.size};
}

Stream bytes_of(std::string_view text) {
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Texts that end in a NUL keep doing so.
void rename(Stream& stream, const FieldMap& map, const Damage& damage) {
  auto names = reserved_names();
  Stream text = bytes_of(names[damage.value % names.size()]);
  const Field& field = map.fields()[damage.where];
  if (stream[field.offset + field.size - 1] == std::byte{0}) text.push_back(std::byte{0});
  replace(stream, map, damage.where, text);
}

/// More of what is there: the counted bytes are repeated or cut; the last one, often a NUL, stays.
void resize(Stream& stream, const FieldMap& map, const Damage& damage) {
  auto counted = map.counted_by(damage.where);
  if (!counted) return;
  Stream old = content_of(stream, map.fields()[*counted]);
  Stream content(std::min<std::uint64_t>(damage.value, stream.size() + 2 * edge_values(4)[10]));
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = old[i % old.size()];
  if (!content.empty()) content.back() = old.back();
  replace(stream, map, *counted, content);
}

void apply_to_field(Stream& stream, const FieldMap& map, const Damage& damage) {
  if (damage.where >= map.fields().size()) return;
  if (damage.act == Act::set) return put_value(stream, map.fields()[damage.where], damage.value);
  if (damage.act == Act::resize) return resize(stream, map, damage);
  if (damage.act == Act::rename) return rename(stream, map, damage);
  if (damage.value < map.fields().size()) {
    replace(stream, map, damage.where, content_of(stream, map.fields()[damage.value]));
  }
}

void apply_to_byte(Stream& stream, const Damage& damage) {
  if (damage.where > stream.size()) return;
  if (damage.act == Act::truncate) return stream.resize(damage.where);
  if (damage.act == Act::insert) return void(stream.insert(at(stream, damage.where), std::byte(damage.value)));
  if (damage.where < stream.size()) stream[damage.where] ^= std::byte(damage.value);
}

void swap_groups(Stream& stream, const Group& one, const Group& other) {
  if (one.offset == other.offset) return;
  const auto& [first, second] = std::minmax(one, other, [](auto& a, auto& b) { return a.offset < b.offset; });
  std::rotate(at(stream, first.offset), at(stream, second.offset), at(stream, second.offset + second.size));
  auto moved = first.offset + second.size;
  std::rotate(at(stream, moved), at(stream, moved + first.size), at(stream, second.offset + second.size));
}

void apply_to_group(Stream& stream, const FieldMap& map, const Damage& damage) {
  if (damage.where >= map.groups().size()) return;
  const Group& group = map.groups()[damage.where];
  auto begin = at(stream, group.offset);
  if (damage.act == Act::erase_group) return void(stream.erase(begin, begin + group.size));
  if (damage.act == Act::repeat_group) {
    Stream copy = content_of(stream, group);
    return void(stream.insert(begin, copy.begin(), copy.end()));
  }
  if (damage.value < map.groups().size()) swap_groups(stream, group, map.groups()[damage.value]);
}

void add_subsection(Stream& stream, const FieldMap& map, const Damage& damage) {
  std::uint64_t offset = damage.where < map.groups().size() ? map.groups()[damage.where].offset : stream.size();
  Stream subsection = bytes_of(subsections()[damage.value % subsections().size()]);
  stream.insert(at(stream, offset), subsection.begin(), subsection.end());
}

}  // namespace

void apply(Stream& stream, const FieldMap& map, const Damage& damage) {
  switch (damage.act) {
    case Act::set:
    case Act::resize:
    case Act::rename:
    case Act::copy_text:
      return apply_to_field(stream, map, damage);
    case Act::flip:
    case Act::truncate:
    case Act::insert:
      return apply_to_byte(stream, damage);
    case Act::erase_group:
    case Act::repeat_group:
    case Act::swap_groups:
      return apply_to_group(stream, map, damage);
    case Act::add_subsection:
      return add_subsection(stream, map, damage);
    case Act::append:
      return stream.resize(stream.size() + damage.value, std::byte{0x5a});
  }
}

namespace {

using Visit = std::function<void(const Damage&)>;

void damage_field(const Stream& stream, const FieldMap& map, std::uint32_t index, const Visit& visit) {
  const Field& field = map.fields()[index];
  if (is_integer(field)) {
    for (std::uint64_t value : edge_values(field.size)) {
      if (value != value_of(stream, field)) visit({Act::set, index, value});
    }
  }
  if (auto counted = map.counted_by(index)) {
    for (std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{map.fields()[*counted].size} - 1,
                               std::uint64_t{map.fields()[*counted].size} + 1, edge_values(4)[10]}) {
      if (size != map.fields()[*counted].size) visit({Act::resize, index, size});
    }
  }
  if (field.role != Role::text) return;
  for (std::uint64_t i = 0; i < reserved_names().size(); ++i) visit({Act::rename, index, i});
  for (std::uint64_t other = 0; other < map.fields().size(); ++other) {
    if (other != index && map.fields()[other].role == Role::text) visit({Act::copy_text, index, other});
  }
}

void damage_group(const FieldMap& map, std::uint32_t index, const Visit& visit) {
  visit({Act::erase_group, index, 0});
  visit({Act::repeat_group, index, 0});
  if (index + 1 < map.groups().size()) visit({Act::swap_groups, index, index + 1});
}

}  // namespace

void for_each_damage(const Stream& stream, const FieldMap& map, const Visit& visit) {
  auto size = static_cast<std::uint32_t>(stream.size());
  for (std::uint32_t offset = 0; offset < size; ++offset) {
    visit({Act::truncate, offset, 0});
    for (std::uint64_t bits : {0x01u, 0x80u, 0xffu}) visit({Act::flip, offset, bits});
  }
  for (std::uint32_t index = 0; index < map.fields().size(); ++index) damage_field(stream, map, index, visit);
  auto groups = static_cast<std::uint32_t>(map.groups().size());
  for (std::uint32_t index = 0; index < groups; ++index) damage_group(map, index, visit);
  for (std::uint32_t index = 0; index <= groups; ++index) {
    for (std::uint64_t which = 0; which < subsections().size(); ++which) visit({Act::add_subsection, index, which});
  }
  for (std::uint64_t junk : {1u, 4096u}) visit({Act::append, 0, junk});
}

std::string describe(const FieldMap& map, const Damage& damage) {
  static constexpr std::array<std::string_view, kActs> kNames = {
      "set",   "resize", "rename", "copy text to",          "flip byte", "truncate at byte", "insert at byte",
      "erase", "repeat", "swap",   "add subsection before", "append"};
  std::string text(kNames[static_cast<std::size_t>(damage.act)]);
  auto where = [&] {
    if (damage.act <= Act::copy_text && damage.where < map.fields().size()) return std::string(map.path(damage.where));
    if (damage.act < Act::erase_group || damage.act == Act::append) return std::to_string(damage.where);
    return "group " + std::to_string(damage.where);
  };
  return text + ' ' + where() + " value " + std::to_string(damage.value);
}

Stream splice(const Stream& first, const FieldMap& first_map, std::size_t first_group, const Stream& second,
              const FieldMap& second_map, std::size_t second_group) {
  auto cut = [](const Stream& stream, const FieldMap& map, std::size_t group) {
    return stream.begin() + (group < map.groups().size() ? Place{map.groups()[group].offset} : std::ssize(stream));
  };
  Stream result(first.begin(), cut(first, first_map, first_group));
  result.insert(result.end(), cut(second, second_map, second_group), second.end());
  return result;
}

}  // namespace vcpr::streams
