#include "engine/vmstate/schema_walk.hpp"

#include <algorithm>
#include <iterator>
#include <string>

#include "engine/os/error.hpp"
#include "engine/vmstate/dissect.hpp"
#include "engine/vmstate/host_integer.hpp"
#include "engine/vmstate/value_text.hpp"

namespace vcpr::vmstate {

namespace {

/// The types of a vmdescription that are one number.
struct NumberType {
  std::string_view name;
  std::uint8_t width;
  bool is_signed;
};
constexpr NumberType kNumberTypes[] = {
    {"bool", 1, false},       {"uint8", 1, false},       {"uint16", 2, false},       {"uint32", 4, false},
    {"uint64", 8, false},     {"int8", 1, true},         {"int16", 2, true},         {"int32", 4, true},
    {"int64", 8, true},       {"uint8 equal", 1, false}, {"uint16 equal", 2, false}, {"uint32 equal", 4, false},
    {"int32 equal", 4, true}, {"int64 equal", 8, true},  {"uint64 equal", 8, false}, {"int32 le", 4, true},
    {"timer", 8, true},
};

const NumberType* number_type(std::string_view type, std::uint64_t size) {
  auto found = std::ranges::find(kNumberTypes, type, &NumberType::name);
  return found != std::end(kNumberTypes) && found->width == size ? found : nullptr;
}

/// Printable characters, then only zeros: a name in a fixed buffer.
bool is_padded_text(std::span<const std::byte> bytes) {
  auto is_printable = [](std::byte byte) { return byte >= std::byte{' '} && byte <= std::byte{'~'}; };
  auto end = std::ranges::find_if_not(bytes, is_printable);
  return end != bytes.begin() && std::all_of(end, bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

std::string irq_levels_text(std::span<const std::byte> bytes) {
  std::string text = "INTA..INTD";
  for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4) {
    text += ' ';
    text += Decimal(big_endian_at(bytes.data() + at, 4));
  }
  return text;
}

std::string value_of(std::string_view type, std::span<const std::byte> bytes) {
  if (const NumberType* number = number_type(type, bytes.size())) {
    return integer_text(big_endian_at(bytes.data(), number->width), number->width, number->is_signed);
  }
  if (type == "float64" && bytes.size() == 8) return real_text(big_endian_at(bytes.data(), 8));
  if (type == "pci config") return pci_config_text(bytes);
  if (type == "pci irq state") return irq_levels_text(bytes);
  if (type == "buffer" && is_padded_text(bytes)) {
    auto end = std::ranges::find(bytes, std::byte{0});
    return quoted(as_text(bytes.first(static_cast<std::size_t>(end - bytes.begin()))));
  }
  return bytes_text(bytes);
}

Role role_of(std::string_view type, std::uint64_t size) {
  if (type == "bool") return Role::boolean;
  if (type == "unused_buffer") return Role::unused;
  if (type == "nullptr") return Role::marker;
  return number_type(type, size) != nullptr || type == "float64" ? Role::integer : Role::buffer;
}

}  // namespace

void SchemaWalk::state(const StateSchema& schema) {
  for (const FieldSchema& each : schema.fields) field(each);
  for (const StateSchema& each : schema.subsections) subsection(each);
}

/// Nothing more is visited once the budget is spent: an entry without bytes costs as much as one with.
bool SchemaWalk::spend() {
  if (left_ == 0) return false;
  --left_;
  return true;
}

void SchemaWalk::field(const FieldSchema& schema) {
  if (!spend() || schema.total() == 0) return;
  std::size_t parent = path_.size();
  if (!path_.ends_with('/')) path_ += '.';
  path_ += schema.name;
  if (schema.is_array) {
    array(schema);
  } else if (schema.index) {
    element_at(*schema.index, schema);
  } else {
    element(schema);
  }
  path_.resize(parent);
}

void SchemaWalk::array(const FieldSchema& schema) {
  bool is_summarised = schema.array_len > kShownElements && schema.nested.empty();
  if (is_summarised) return report(schema.total(), Role::buffer, schema.type, bytes_text(ahead(schema.total())));
  for (std::uint64_t index = 0; index < schema.array_len && left_ != 0; ++index) element_at(index, schema);
}

void SchemaWalk::element_at(std::uint64_t index, const FieldSchema& schema) {
  std::size_t array = path_.size();
  path_ += '[';
  path_ += Decimal(index);
  path_ += ']';
  element(schema);
  path_.resize(array);
}

void SchemaWalk::element(const FieldSchema& schema) {
  if (schema.is_list() || schema.is_tree()) return list(schema);
  if (!schema.nested.empty()) return state(schema.nested.front());
  report(schema.size, role_of(schema.type, schema.size), schema.type, value_of(schema.type, ahead(schema.size)));
}

void SchemaWalk::list(const FieldSchema& schema) {
  if (schema.is_tree()) report_part(".count", 4, Role::count, "uint32");
  std::size_t states_each = schema.is_tree() ? 2 : 1;
  for (std::size_t index = 0; index < schema.nested.size() && left_ != 0; ++index) {
    std::size_t list = path_.size();
    path_ += '[';
    path_ += Decimal(std::uint64_t{index / states_each});
    path_ += ']';
    if (index % states_each == 0) report_part(".more", 1, Role::marker, "uint8");
    state(schema.nested[index]);
    path_.resize(list);
  }
  report_part(".end", 1, Role::marker, "uint8");
}

void SchemaWalk::subsection(const StateSchema& schema) {
  std::size_t parent = path_.size();
  if (!path_.ends_with('/')) path_ += '/';
  path_ += schema.name;
  report_part("/mark", 1, Role::marker, "uint8");
  report_part("/idlen", 1, Role::length, "uint8");
  report_part("/idstr", schema.name.size(), Role::text, "buffer");
  report_part("/version", 4, Role::version, "uint32");
  path_ += '/';
  state(schema);
  path_.resize(parent);
}

void SchemaWalk::report_part(std::string_view name, std::uint64_t size, Role role, std::string_view type) {
  std::size_t parent = path_.size();
  path_ += name;
  report(size, role, type, role == Role::text ? quoted(as_text(ahead(size))) : value_of(type, ahead(size)));
  path_.resize(parent);
}

void SchemaWalk::report(std::uint64_t size, Role role, std::string_view type, std::string_view value) {
  if (!spend()) return;
  observer_.field({.offset = offset_ + at_, .size = size, .path = path_, .role = role, .type = type, .value = value});
  at_ += size;
}

}  // namespace vcpr::vmstate
