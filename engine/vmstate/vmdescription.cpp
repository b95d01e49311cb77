#include "engine/vmstate/vmdescription.hpp"

#include <algorithm>
#include <limits>

#include "engine/vmstate/host_integer.hpp"

namespace vcpr::vmstate {

namespace {

/// Bytes of a subsection before its fields: mark, length of the name, version.
constexpr std::uint64_t kSubsectionHeaderBytes = 1 + 1 + 4;
/// Room for as many is made at once.
constexpr std::size_t kUsualFields = 64;

/// Members answer false once an error is set.
class Builder {
 public:
  explicit Builder(VmDescription& description) : json_(description.json), description_(description) {}

  bool description() {
    const JsonValue& root = json_.root();
    const JsonValue* devices = typed(root, "devices", JsonValue::Type::array);
    if (devices == nullptr || !integer(root, "page_size", description_.page_size)) return false;
    return json_.each(*devices, [this](const JsonValue& each) { return device(each); });
  }
  std::unexpected<Error> error() { return std::unexpected(std::move(error_)); }

 private:
  bool fail(const JsonValue& at, std::string_view reason) {
    error_ = std::move(refuse_at(ErrorCode::bad_description, at.offset, {reason}).error());
    return false;
  }

  const JsonValue* typed(const JsonValue& object, std::string_view key, JsonValue::Type type) {
    const JsonValue* value = json_.member(object, key);
    if (value != nullptr && value->type == type) return value;
    error_ = std::move(refuse_at(ErrorCode::bad_description, value != nullptr ? value->offset : object.offset,
                                 {"\"", key, value != nullptr ? "\" is of another type" : "\" is missing"})
                           .error());
    return nullptr;
  }
  bool string(const JsonValue& object, std::string_view key, std::string_view& value) {
    const JsonValue* found = typed(object, key, JsonValue::Type::string);
    if (found != nullptr) value = found->string;
    return found != nullptr;
  }
  template <class Integer>
  bool integer(const JsonValue& object, std::string_view key, Integer& value) {
    const JsonValue* found = typed(object, key, JsonValue::Type::integer);
    if (found == nullptr) return false;
    if (found->number > std::numeric_limits<Integer>::max()) return fail(*found, "the number is too large");
    value = static_cast<Integer>(found->number);
    return true;
  }

  bool device(const JsonValue& object);
  bool state(const JsonValue& object, StateSchema& schema);
  bool fields(const JsonValue& array, StateSchema& schema);
  bool subsections(const JsonValue& array, StateSchema& schema);
  bool field(const JsonValue& object, FieldSchema& schema);
  bool place_in_array(const JsonValue& object, FieldSchema& schema);
  bool nested(const JsonValue& object, FieldSchema& schema);
  bool elements(const JsonValue& object, FieldSchema& schema);
  bool nested_agrees(const JsonValue& object, const FieldSchema& schema);
  bool add(const JsonValue& at, std::uint64_t& sum, std::uint64_t more) {
    return !__builtin_add_overflow(sum, more, &sum) || fail(at, "the sizes are too large");
  }

  const Json& json_;
  VmDescription& description_;
  Error error_;
};

bool Builder::device(const JsonValue& object) {
  DeviceSchema& device = description_.devices.emplace_back();
  if (!string(object, "name", device.name) || !integer(object, "instance_id", device.instance_id)) return false;
  device.is_described = json_.member(object, "vmsd_name") != nullptr;
  if (device.is_described) return state(object, device.state);
  const JsonValue* list = typed(object, "fields", JsonValue::Type::array);
  return list != nullptr && fields(*list, device.state);
}

bool Builder::state(const JsonValue& object, StateSchema& schema) {
  if (!string(object, "vmsd_name", schema.name) || !integer(object, "version", schema.version)) return false;
  const JsonValue* list = typed(object, "fields", JsonValue::Type::array);
  if (list == nullptr || !fields(*list, schema)) return false;
  if (json_.member(object, "subsections") == nullptr) return true;
  const JsonValue* more = typed(object, "subsections", JsonValue::Type::array);
  return more != nullptr && subsections(*more, schema);
}

bool Builder::fields(const JsonValue& array, StateSchema& schema) {
  std::size_t count = 0;
  (void)json_.each(array, [&count](const JsonValue&) { return ++count < kUsualFields; });
  schema.fields.reserve(schema.fields.size() + count);
  return json_.each(array, [&](const JsonValue& each) {
    FieldSchema& entry = schema.fields.emplace_back();
    return field(each, entry) && add(each, schema.size, entry.total());
  });
}

bool Builder::subsections(const JsonValue& array, StateSchema& schema) {
  return json_.each(array, [&](const JsonValue& each) {
    StateSchema& subsection = schema.subsections.emplace_back();
    return state(each, subsection) && add(each, schema.size, kSubsectionHeaderBytes + subsection.name.size()) &&
           add(each, schema.size, subsection.size);
  });
}

bool Builder::field(const JsonValue& object, FieldSchema& schema) {
  if (!string(object, "name", schema.name) || !string(object, "type", schema.type)) return false;
  if (!integer(object, "size", schema.size) || !place_in_array(object, schema)) return false;
  return nested(object, schema) && nested_agrees(object, schema);
}

bool Builder::place_in_array(const JsonValue& object, FieldSchema& schema) {
  schema.is_array = json_.member(object, "array_len") != nullptr;
  if (schema.is_array && !integer(object, "array_len", schema.array_len)) return false;
  if (json_.member(object, "index") != nullptr) {
    if (!integer(object, "index", schema.index.emplace())) return false;
  }
  std::uint64_t total = 0;
  return !__builtin_mul_overflow(schema.size, schema.array_len, &total) || fail(object, "the sizes are too large");
}

bool Builder::nested(const JsonValue& object, FieldSchema& schema) {
  if (schema.type != "struct" && schema.type != "vstruct") return elements(object, schema);
  const JsonValue* inner = typed(object, "struct", JsonValue::Type::object);
  return inner != nullptr && state(*inner, schema.nested.emplace_back());
}

/// Lists and temporaries describe each element by keys of the entry itself, which so occur once per element.
bool Builder::elements(const JsonValue& object, FieldSchema& schema) {
  return json_.each(object, [&](const JsonValue& member) {
    if (member.key == "vmsd_name") schema.nested.emplace_back().name = member.string;
    if (schema.nested.empty()) return true;
    StateSchema& element = schema.nested.back();
    bool is_array = member.type == JsonValue::Type::array;
    if (member.key == "version") element.version = static_cast<std::uint32_t>(member.number);
    if (member.key == "fields") return is_array ? fields(member, element) : fail(member, "fields are an array");
    if (member.key == "subsections") {
      return is_array ? subsections(member, element) : fail(member, "subsections are an array");
    }
    return true;
  });
}

bool Builder::nested_agrees(const JsonValue& object, const FieldSchema& schema) {
  if (schema.nested.empty() && !schema.is_list() && !schema.is_tree()) return true;
  std::uint64_t sum = 0;
  for (const StateSchema& each : schema.nested) {
    if (!add(object, sum, each.size)) return false;
  }
  std::uint64_t count = schema.nested.size();
  if (schema.is_list()) sum += count + 1;
  if (schema.is_tree()) sum += sizeof(std::uint32_t) + (count + 1) / 2 + 1;  // a marker before each key and its value
  return sum == schema.size || fail(object, "the size is not that of what the field contains");
}

}  // namespace

Expected<VmDescription> parse_vmdescription(std::string_view text) {
  auto json = Json::parse(text);
  if (!json) return std::unexpected(std::move(json.error()));
  VmDescription description;
  description.json = std::move(*json);
  Builder builder(description);
  if (!builder.description()) return builder.error();
  return description;
}

std::optional<std::string_view> find_vmdescription(std::span<const std::byte> stream) {
  constexpr std::uint64_t kHeaderBytes = 2 + 4;  // end of sections, description section, length
  std::uint64_t limit = std::min<std::uint64_t>(stream.size(), kHeaderBytes + kMaxJsonBytes);
  for (std::uint64_t back = kHeaderBytes; back <= limit; ++back) {
    const std::byte* header = stream.data() + stream.size() - back;
    std::uint64_t length = back - kHeaderBytes;
    if (header[0] != std::byte{0} || header[1] != std::byte{6}) continue;
    if (big_endian_at(header + 2, 4) != length) continue;
    return std::string_view(reinterpret_cast<const char*>(header) + kHeaderBytes, length);
  }
  return {};
}

}  // namespace vcpr::vmstate
