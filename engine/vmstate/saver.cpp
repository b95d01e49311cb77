// The writing half of the codec: interprets a description over an object.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/host_integer.hpp"

namespace vcpr::vmstate {

namespace {

/// One save. Its members answer false on a failure, which is kept aside with the path to it growing as they return.
class Saver {
 public:
  Saver(wire::Writer& out, const SaveOptions& options) : out_(out), options_(options), text_(options.text) {}

  bool state(const Description& description, std::uint32_t version, const void* object);
  std::unexpected<Error> error();

 private:
  bool fields(const Description& description, std::uint32_t version, const void* object);
  bool field(const Description& description, const Field& field, const void* object);
  bool counted(const Field& field, const void* object, std::uint64_t& count);
  bool array(const Description& description, const Field& field, const void* object);
  bool element(const Field& field, const void* member);
  bool pointer_element(const Field& field, const void* slot);
  bool bytes(const Field& field, const void* object);
  bool text(const Field& field, const void* member);
  bool list(const Field& field, const void* parent);
  bool list_element(const Field& field, const void* parent, std::uint64_t position);
  bool nested(const Field& field, const void* object);
  bool descriptor(const Descriptor& descriptor);
  void integer(std::uint64_t value, std::size_t width);
  bool subsections(const Description& description, const void* object);

  /// Which element of the field an entry of the vmdescription is about.
  struct Entry {
    std::uint64_t index = 0;
    std::uint64_t count = 1;
    bool is_null = false;
  };
  /// An entry of the vmdescription around what `write` writes.
  template <class Write>
  bool described(const Description& description, const Field& field, Entry entry, Write write);
  void describe_text(const Field& field, std::uint64_t length);
  void begin_entry(std::string_view name, const Field& field, Entry entry);

  bool fail(ErrorCode code, std::initializer_list<std::string_view> reason);
  bool fail(Error&& error);
  bool under(std::string_view step);
  bool under(std::uint64_t index);

  wire::Writer& out_;
  const SaveOptions& options_;
  DescriptionText* text_;  ///< null while a compressed array's further elements are written
  Error error_;
  std::string failed_path_;
};

bool is_pointers(const Field& field) {
  return field.shape == Shape::pointers || field.shape == Shape::marked_pointers;
}

/// QEMU describes only the first element of an array when all are alike: no tests, no subsections anywhere inside.
bool all_alike(const Field& field) {
  if (field.exists != nullptr) return false;
  if (is_pointers(field)) return false;
  if (field.kind != Kind::structure) return true;
  return field.nested->subsections.empty() && std::ranges::all_of(field.nested->fields, all_alike);
}

/// "config[1]": the how manieth field of that name this is, when there are several.
std::string indexed_name(const Description& description, const Field& field) {
  auto has_same_name = [&field](const Field& other) { return other.name == field.name; };
  std::string name(field.name);
  if (std::ranges::count_if(description.fields, has_same_name) < 2) return name;
  auto before = description.fields.first(static_cast<std::size_t>(&field - description.fields.data()));
  name += '[';
  name += Decimal(static_cast<std::int64_t>(std::ranges::count_if(before, has_same_name)));
  return name += ']';
}

bool Saver::state(const Description& description, std::uint32_t version, const void* object) {
  if (description.pre_save != nullptr) {
    if (auto ready = description.pre_save(object); !ready) return fail(std::move(ready.error()));
  }
  if (text_ != nullptr) {
    text_->string("vmsd_name", description.name);
    text_->integer("version", version);
  }
  bool good = fields(description, version, object);
  if (description.post_save != nullptr) {
    if (auto closed = description.post_save(object); !closed && good) good = fail(std::move(closed.error()));
  }
  return good && subsections(description, object);
}

bool Saver::fields(const Description& description, std::uint32_t version, const void* object) {
  if (text_ != nullptr) text_->begin_array("fields");
  for (const Field& each : description.fields) {
    bool present = each.exists != nullptr ? each.exists(object, version) : each.version <= version;
    if (present) {
      if (!field(description, each, object)) return under(each.name);
    } else if (each.must_exist) {
      fail(ErrorCode::bad_state, {"this state cannot be saved"});
      return under(each.name);
    }
  }
  if (text_ != nullptr) text_->end_array();
  return true;
}

bool Saver::field(const Description& description, const Field& field, const void* object) {
  if (field.kind == Kind::validate) return true;
  if (field.shape != Shape::one && !field.is_whole) return array(description, field, object);
  if (field.kind == Kind::counted_text || field.kind == Kind::counted_name) return text(field, field.look(object));
  return described(description, field, {}, [&] {
    switch (field.kind) {
      case Kind::bytes:
      case Kind::unused:
        return bytes(field, object);
      case Kind::list:
      case Kind::tree:
        return list(field, field.look(object));
      case Kind::temporary:
        return list_element(field, field.look(object), 0);
      default:
        return field.is_whole && field.shape != Shape::one ? array(description, field, object)
                                                           : element(field, field.look(object));
    }
  });
}

template <class Write>
bool Saver::described(const Description& description, const Field& field, Entry entry, Write write) {
  if (text_ == nullptr) return write();
  std::uint64_t begin = out_.offset();
  begin_entry(indexed_name(description, field), field, entry);
  bool is_struct = field.kind == Kind::structure && !entry.is_null;
  if (is_struct) text_->begin_object("struct");
  if (!write()) return false;
  if (is_struct) text_->end_object();
  text_->integer("size", out_.offset() - begin);
  text_->end_object();
  return true;
}

void Saver::begin_entry(std::string_view name, const Field& field, Entry entry) {
  text_->begin_object();
  text_->string("name", name);
  if (entry.count > 1) {
    if (all_alike(field)) {
      text_->integer("array_len", entry.count);
    } else {
      text_->integer("index", entry.index);
    }
  }
  text_->string("type", entry.is_null ? "nullptr" : field.type);
}

bool Saver::counted(const Field& field, const void* object, std::uint64_t& count) {
  std::int64_t number = field.count != nullptr ? field.count(object) : field.fixed_count;
  count = static_cast<std::uint64_t>(number) * field.times;
  if (number >= 0 && (field.count == nullptr || count <= field.limit)) return true;
  return fail(ErrorCode::bad_length, {"a count of ", Decimal(number), ", at most ", Decimal(field.limit)});
}

bool Saver::array(const Description& description, const Field& field, const void* object) {
  std::uint64_t count = 0;
  if (!counted(field, object, count)) return false;
  Elements elements = field.storage->elements(field.look(object));
  if (elements.count < count) {
    return fail(ErrorCode::bad_length, {"a count of ", Decimal(count), " of ", Decimal(elements.count)});
  }
  DescriptionText* text = text_;
  bool alike = all_alike(field);
  bool good = true;
  for (std::uint64_t index = 0; good && index < count; ++index) {
    const std::byte* member = elements.first + index * field.stride;
    bool is_null = is_pointers(field) && field.storage->pointee(member) == nullptr;
    if (field.is_whole || (alike && index > 0)) text_ = nullptr;
    good = described(description, field, {index, count, is_null}, [&] { return element(field, member); });
    text_ = text;
    if (!good) under(index);
  }
  return good;
}

bool Saver::element(const Field& field, const void* member) {
  switch (field.kind) {
    case Kind::integer:
      integer(load_host(member, field.width), field.width);
      return true;
    case Kind::structure:
      if (is_pointers(field)) return pointer_element(field, member);
      if (field.shape == Shape::one && field.storage != nullptr) member = field.storage->pointee(member);
      return member != nullptr ? nested(field, member) : fail(ErrorCode::bad_state, {"a null pointer"});
    case Kind::descriptor:
      return descriptor(*static_cast<const Descriptor*>(member));
    default:
      return text(field, member);
  }
}

bool Saver::pointer_element(const Field& field, const void* slot) {
  const void* pointee = field.storage->pointee(slot);
  if (pointee == nullptr) {
    out_.u8(kNullPointer);
    return true;
  }
  if (field.shape == Shape::marked_pointers) out_.u8(kValidPointer);
  return nested(field, pointee);
}

void Saver::integer(std::uint64_t value, std::size_t width) {
  switch (width) {
    case 1:
      return out_.u8(static_cast<std::uint8_t>(value));
    case 2:
      return out_.be16(static_cast<std::uint16_t>(value));
    case 4:
      return out_.be32(static_cast<std::uint32_t>(value));
    default:
      return out_.be64(value);
  }
}

bool Saver::bytes(const Field& field, const void* object) {
  std::uint64_t size = 0;
  if (!counted(field, object, size)) return false;
  if (field.kind == Kind::unused) {
    for (std::uint64_t byte = 0; byte < size; ++byte) out_.u8(0);
    return true;
  }
  auto buffer = field.storage->bytes(field.look(object));
  if (buffer.size() != size) {
    return fail(ErrorCode::bad_length, {"a size of ", Decimal(size), " of ", Decimal(std::uint64_t{buffer.size()})});
  }
  out_.bytes(buffer);
  return true;
}

bool Saver::text(const Field& field, const void* member) {
  auto characters = field.storage->bytes(member);
  if (characters.size() > field.limit) {
    return fail(ErrorCode::bad_length, {Decimal(std::uint64_t{characters.size()}), " characters"});
  }
  bool is_name = field.kind == Kind::counted_name;
  if (is_name && (characters.empty() || std::memchr(characters.data(), 0, characters.size()) != nullptr)) {
    return fail(ErrorCode::bad_text, {"empty, or with a NUL inside"});
  }
  if (field.kind == Kind::short_text) {
    out_.u8(static_cast<std::uint8_t>(characters.size()));
    out_.bytes(characters);
    return true;
  }
  std::uint64_t length = characters.size() + (is_name ? 1 : 0);
  out_.be32(static_cast<std::uint32_t>(length));
  out_.bytes(characters);
  if (is_name) out_.u8(0);
  if (text_ != nullptr) describe_text(field, length);
  return true;
}

void Saver::describe_text(const Field& field, std::uint64_t length) {
  text_->begin_object();
  text_->string("name", field.length_name);
  text_->string("type", "uint32");
  text_->integer("size", sizeof(std::uint32_t));
  text_->end_object();
  text_->begin_object();
  text_->string("name", field.name);
  text_->string("type", field.type);
  text_->integer("size", length);
  text_->end_object();
}

bool Saver::list(const Field& field, const void* parent) {
  std::uint64_t count = field.elements->size(parent);
  if (count > field.limit) {
    return fail(ErrorCode::bad_length, {Decimal(count), " elements, at most ", Decimal(field.limit)});
  }
  if (field.kind == Kind::tree) out_.be32(static_cast<std::uint32_t>(count));
  for (std::uint64_t position = 0; position < count; ++position) {
    out_.u8(kMore);
    if (!list_element(field, parent, position)) return under(position);
  }
  out_.u8(kEnd);
  return true;
}

bool Saver::list_element(const Field& field, const void* parent, std::uint64_t position) {
  alignas(std::max_align_t) std::byte scratch[kMaxScratchBytes];
  field.elements->construct(scratch);
  field.elements->fetch(parent, position, scratch);
  bool good = nested(field, scratch);
  field.elements->destroy(scratch);
  return good;
}

bool Saver::nested(const Field& field, const void* object) {
  return state(*field.nested, field.is_versioned ? field.nested_version : field.nested->version, object);
}

bool Saver::descriptor(const Descriptor& descriptor) {
  if (descriptor.number < 0) return fail(ErrorCode::bad_descriptor, {"number ", Decimal(descriptor.number)});
  if (options_.descriptors == DescriptorEncoding::riding) {
    out_.descriptor(descriptor.number);
  } else {
    out_.be32(static_cast<std::uint32_t>(descriptor.number));
  }
  return true;
}

bool Saver::subsections(const Description& description, const void* object) {
  bool any = false;
  for (const Description* each : description.subsections) {
    if (each->needed != nullptr && !each->needed(object)) continue;
    if (text_ != nullptr) {
      if (!any) text_->begin_array("subsections");
      text_->begin_object();
    }
    any = true;
    out_.u8(kSubsectionMark);
    out_.counted_string(each->name);
    out_.be32(each->version);
    if (!state(*each, each->version, object)) {
      failed_path_ = std::string(each->name) + "/" + failed_path_;
      return false;
    }
    if (text_ != nullptr) text_->end_object();
  }
  if (any && text_ != nullptr) text_->end_array();
  return true;
}

bool Saver::fail(ErrorCode code, std::initializer_list<std::string_view> reason) {
  error_ = std::move(refuse(code, reason).error());
  return false;
}

bool Saver::fail(Error&& error) {
  error_ = std::move(error);
  return false;
}

bool Saver::under(std::string_view step) {
  std::string path(step);
  if (!failed_path_.empty() && !failed_path_.starts_with('[')) path += '.';
  failed_path_ = path + failed_path_;
  return false;
}

bool Saver::under(std::uint64_t index) {
  std::string step = "[";
  step += Decimal(index);
  step += ']';
  return under(step);
}

std::unexpected<Error> Saver::error() {
  if (!failed_path_.empty()) error_.text = failed_path_ + ": " + error_.text;
  return std::unexpected(std::move(error_));
}

}  // namespace

Expected<void> save_erased(const Description& description, const void* object, wire::Writer& out,
                           const SaveOptions& options) {
  Saver saver(out, options);
  if (!saver.state(description, description.version, object)) return saver.error();
  return {};
}

}  // namespace vcpr::vmstate
