// The vmdescription that ends a main stream, read as a schema: with it every section can be taken apart.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/vmstate/json.hpp"

namespace vcpr::vmstate {

struct StateSchema;

/// One entry of "fields". Text borrows from the stream.
struct FieldSchema {
  std::string_view name;
  std::string_view type;
  std::uint64_t size = 0;       ///< of one element, in bytes
  std::uint64_t array_len = 1;  ///< elements that this entry stands for
  bool is_array = false;        ///< has array_len
  std::optional<std::uint64_t> index;
  /// struct, vstruct, tmp: one; qlist, qtailq: one per element; gtree: two per element, key and value.
  std::vector<StateSchema> nested;

  std::uint64_t total() const { return size * array_len; }
  bool is_list() const { return type == "qlist" || type == "qtailq"; }
  bool is_tree() const { return type == "gtree"; }
};

struct StateSchema {
  std::string_view name;
  std::uint32_t version = 0;
  std::vector<FieldSchema> fields;
  std::vector<StateSchema> subsections;
  std::uint64_t size = 0;  ///< bytes of the fields and of the subsections with their headers
};

struct DeviceSchema {
  std::string_view name;
  std::uint32_t instance_id = 0;
  bool is_described = false;  ///< false: an old-style section, whose bytes only the device understands
  StateSchema state;
};

/// Sizes are consistent: what an entry says is the sum of what it contains.
struct VmDescription {
  Json json;
  std::uint64_t page_size = 0;
  std::vector<DeviceSchema> devices;
};

/// The result borrows from the text. bad_description, too_long; offsets are of the text.
Expected<VmDescription> parse_vmdescription(std::string_view text);

/// Where the JSON text of a complete main stream stands: after 00 06 and its length, at the end. Nothing when the
/// stream has none.
std::optional<std::string_view> find_vmdescription(std::span<const std::byte> stream);

}  // namespace vcpr::vmstate
