// The reading half of the codec: interprets a description over a stream.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/host_integer.hpp"
#include "engine/vmstate/value_text.hpp"

namespace vcpr::vmstate {

namespace {

/// One load or one observation. Its members answer false on a failure, which is kept aside with the path to it growing
/// as they return: success costs nothing.
class Loader {
 public:
  Loader(wire::Reader& in, const LoadOptions& options) : in_(in), options_(options) {}
  Loader(wire::Reader& in, const LoadOptions& options, std::string_view prefix, Observer& observer)
      : in_(in), options_(options), observer_(&observer), path_(prefix) {}

  bool state(const Description& description, std::uint32_t version, void* object);
  /// After a failure: the error, its text opened by the path.
  std::unexpected<Error> error();

 private:
  class Step;

  bool fields(const Description& description, std::uint32_t version, void* object);
  bool field(const Field& field, void* object);
  bool counted(const Field& field, void* object, std::uint64_t& count);
  bool array(const Field& field, void* object);
  bool element(const Field& field, void* member);
  bool pointer_element(const Field& field, void* slot);
  bool integer(const Field& field, void* member);
  bool satisfies(const Field& field, const void* member, std::uint64_t value) const;
  bool refuse_integer(const Field& field, const void* member, std::uint64_t value, std::uint64_t begin);
  bool bytes(const Field& field, void* object);
  bool text(const Field& field, void* member);
  bool text_length(const Field& field, std::uint64_t& length);
  bool assign(const Field& field, void* member, std::span<const std::byte> bytes, std::uint64_t begin);
  bool list(const Field& field, void* parent);
  bool list_element(const Field& field, void* parent, std::uint64_t begin);
  bool nested(const Field& field, void* object);
  bool descriptor(const Field& field, Descriptor& descriptor);
  bool descriptor_number(const Field& field, Descriptor& descriptor);
  bool observed_service_byte(const Field& field);

  bool subsections(const Description& description, void* object);
  bool subsection(const Description& subsection, void* object);
  /// The name of the subsection that begins here, or nothing: then these bytes belong to an outer level.
  std::string_view subsection_name_ahead(const Description& parent) const;

  bool u32(std::uint32_t& value, std::string_view name, Role role);
  bool marker(std::uint8_t& value, std::string_view name);
  void report(std::uint64_t begin, std::string_view name, Role role, std::string_view type, std::string_view value);
  void report(std::uint64_t begin, std::uint64_t size, std::string_view name, Role role, std::string_view type,
              std::string_view value);
  void report_subsection(std::string_view name, std::uint64_t begin);
  void report_integer(const Field& field, std::uint64_t begin, std::uint64_t value);
  void report_bytes(const Field& field, std::uint64_t begin, std::span<const std::byte> bytes);

  bool fail(ErrorCode code, std::uint64_t offset, std::initializer_list<std::string_view> reason);
  bool truncated(std::uint64_t offset, std::uint64_t wanted);
  /// Adopts another room's error; keeps its offset if it has one.
  bool fail(Error&& error, std::uint64_t offset);
  /// Puts a step in front of the failure's path; answers false.
  bool under(std::string_view step, std::string_view after = "");
  bool under(std::string_view step, std::uint64_t index);

  wire::Reader& in_;
  const LoadOptions& options_;
  Observer* observer_ = nullptr;
  std::string path_;  ///< of what is being observed
  Error error_;
  std::string failed_path_;
};

/// A step down the path, while something is observed.
class Loader::Step {
 public:
  Step(Loader& loader, std::string_view name, std::string_view after = "") : loader_(loader) {
    if (loader_.observer_ != nullptr) extend(name, after);
  }
  Step(Loader& loader, std::uint64_t index) : loader_(loader) {
    if (loader_.observer_ != nullptr) extend_index(index);
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  ~Step() {
    if (loader_.observer_ != nullptr) loader_.path_.resize(size_);
  }

 private:
  void extend(std::string_view name, std::string_view after) {
    size_ = loader_.path_.size();
    if (name.empty()) return;
    if (size_ != 0 && !loader_.path_.ends_with('/')) loader_.path_ += '.';
    loader_.path_ += name;
    loader_.path_ += after;
  }
  void extend_index(std::uint64_t index) {
    size_ = loader_.path_.size();
    loader_.path_ += '[';
    loader_.path_ += Decimal(index);
    loader_.path_ += ']';
  }

  Loader& loader_;
  std::size_t size_ = 0;
};

bool Loader::state(const Description& description, std::uint32_t version, void* object) {
  std::uint64_t begin = in_.offset();
  if (version > description.version) {
    return fail(ErrorCode::bad_version, begin,
                {description.name, ": version ", Decimal(version), " is newer than ", Decimal(description.version)});
  }
  if (version < description.minimum_version) {
    return fail(
        ErrorCode::bad_version, begin,
        {description.name, ": version ", Decimal(version), " is older than ", Decimal(description.minimum_version)});
  }
  bool hooks = observer_ == nullptr;
  if (hooks && description.pre_load != nullptr) {
    if (auto allowed = description.pre_load(object); !allowed) return fail(std::move(allowed.error()), begin);
  }
  if (!fields(description, version, object)) return false;
  bool may_have =
      !description.subsections.empty() || in_.peek() == nullptr || *in_.peek() == std::byte{kSubsectionMark};
  if (may_have && !subsections(description, object)) return false;
  if (hooks && description.post_load != nullptr) {
    if (auto accepted = description.post_load(object, version); !accepted) {
      return fail(std::move(accepted.error()), begin);
    }
  }
  return true;
}

bool Loader::fields(const Description& description, std::uint32_t version, void* object) {
  for (const Field& each : description.fields) {
    bool present = each.exists != nullptr ? each.exists(object, version) : each.version <= version;
    if (present) {
      if (!field(each, object)) return false;
    } else if (each.must_exist) {
      fail(ErrorCode::bad_value, in_.offset(), {"this state cannot be loaded here"});
      return under(each.name);
    }
  }
  return true;
}

bool Loader::field(const Field& field, void* object) {
  Step step(*this, field.name);
  bool good = false;
  switch (field.kind) {
    case Kind::validate:
      return true;
    case Kind::bytes:
    case Kind::unused:
      good = bytes(field, object);
      break;
    case Kind::list:
    case Kind::tree:
      good = list(field, field.at(object));
      break;
    case Kind::temporary:
      good = list_element(field, field.at(object), in_.offset());
      break;
    default:
      good = field.shape == Shape::one ? element(field, field.at(object)) : array(field, object);
  }
  return good || under(field.name);
}

bool Loader::counted(const Field& field, void* object, std::uint64_t& count) {
  std::int64_t number = field.count != nullptr ? field.count(object) : field.fixed_count;
  if (number < 0) return fail(ErrorCode::bad_length, in_.offset(), {"a count of ", Decimal(number)});
  count = static_cast<std::uint64_t>(number);
  bool fits = !__builtin_mul_overflow(count, std::uint64_t{field.times}, &count) && count <= field.limit;
  if (fits || field.count == nullptr) return true;
  return fail(ErrorCode::bad_length, in_.offset(),
              {Decimal(number), " times ", Decimal(field.times), " is more than ", Decimal(field.limit)});
}

bool Loader::array(const Field& field, void* object) {
  std::uint64_t count = 0;
  if (!counted(field, object, count)) return false;
  void* member = field.at(object);
  // Integers are known to be there before room is made for them; structs get theirs one by one.
  if (field.kind == Kind::integer && in_.remaining() / field.width < count) {
    return truncated(in_.offset(), count * field.width);
  }
  bool one_by_one = field.grows && field.kind != Kind::integer;
  std::byte* first = field.storage->prepare(member, one_by_one ? 0 : count);
  if (first == nullptr && count != 0 && !one_by_one) {
    return fail(ErrorCode::bad_length, in_.offset(), {Decimal(count), " elements do not fit"});
  }
  for (std::uint64_t index = 0; index < count; ++index) {
    if (one_by_one) first = field.storage->prepare(member, index + 1);
    Step step(*this, index);
    if (!element(field, first + index * field.stride)) return under("", index);
  }
  return true;
}

bool Loader::element(const Field& field, void* member) {
  switch (field.kind) {
    case Kind::integer:
      return integer(field, member);
    case Kind::structure:
      if (field.shape == Shape::pointers || field.shape == Shape::marked_pointers) {
        return pointer_element(field, member);
      }
      if (field.shape == Shape::one && field.storage != nullptr) {
        member = field.storage->pointer(member, PointerUse::make);
      }
      return nested(field, member);
    case Kind::descriptor:
      return descriptor(field, *static_cast<Descriptor*>(member));
    default:
      return text(field, member);
  }
}

bool Loader::pointer_element(const Field& field, void* slot) {
  const std::byte* ahead = in_.peek();
  if (ahead == nullptr) return truncated(in_.offset(), 1);
  auto mark = std::to_integer<std::uint8_t>(*ahead);
  bool null = mark == kNullPointer;
  if (null || field.shape == Shape::marked_pointers) {
    if (!marker(mark, "pointer")) return false;
    if (!null && mark != kValidPointer) {
      return fail(ErrorCode::bad_marker, in_.offset() - 1, {"pointer marker ", Decimal(std::uint32_t{mark})});
    }
  }
  void* pointee = field.storage->pointer(slot, null ? PointerUse::drop : PointerUse::make);
  return null || nested(field, pointee);
}

bool Loader::integer(const Field& field, void* member) {
  std::uint64_t begin = in_.offset();
  const std::byte* raw = in_.take(field.width);
  if (raw == nullptr) return truncated(begin, field.width);
  std::uint64_t value = big_endian_at(raw, field.width);
  if (observer_ != nullptr) report_integer(field, begin, value);
  if (field.rule != Rule::any && !satisfies(field, member, value)) {
    return refuse_integer(field, member, value, begin);
  }
  store_host(member, value, field.width);
  return true;
}

bool Loader::satisfies(const Field& field, const void* member, std::uint64_t value) const {
  switch (field.rule) {
    case Rule::any:
      return true;
    case Rule::boolean:
      return value <= 1;
    case Rule::at_most:
      return value <= field.maximum;
    case Rule::equal:
      return observer_ != nullptr || value == load_host(member, field.width);
    case Rule::less_or_equal:
      return observer_ != nullptr ||
             (sign_extended(value, field.width) >= 0 &&
              sign_extended(value, field.width) <= sign_extended(load_host(member, field.width), field.width));
  }
  return false;
}

/// Says what the value should have been.
bool Loader::refuse_integer(const Field& field, const void* member, std::uint64_t value, std::uint64_t begin) {
  const std::string found = integer_text(value, field.width, field.is_signed);
  if (field.rule == Rule::boolean) return fail(ErrorCode::bad_value, begin, {found, " is neither 0 nor 1"});
  if (field.rule == Rule::at_most) {
    return fail(ErrorCode::bad_value, begin, {found, " is more than ", Decimal(field.maximum)});
  }
  const std::string ours = integer_text(load_host(member, field.width), field.width, field.is_signed);
  const std::string_view relation = field.rule == Rule::equal ? " is not " : " is not from 0 to ";
  return fail(ErrorCode::bad_value, begin, {found, relation, ours, ", as here"});
}

bool Loader::bytes(const Field& field, void* object) {
  std::uint64_t size = 0;
  if (!counted(field, object, size)) return false;
  std::uint64_t begin = in_.offset();
  const std::byte* raw = in_.take(size);
  if (raw == nullptr) return truncated(begin, size);
  if (observer_ != nullptr) report_bytes(field, begin, {raw, size});
  return field.kind == Kind::unused || assign(field, field.at(object), {raw, size}, begin);
}

bool Loader::assign(const Field& field, void* member, std::span<const std::byte> bytes, std::uint64_t begin) {
  if (field.storage->assign(member, bytes)) return true;
  return fail(ErrorCode::bad_length, begin, {Decimal(std::uint64_t{bytes.size()}), " bytes do not fit"});
}

bool Loader::text(const Field& field, void* member) {
  std::uint64_t length = 0;
  if (!text_length(field, length)) return false;
  std::uint64_t begin = in_.offset();
  const std::byte* raw = in_.take(length);
  if (raw == nullptr) return truncated(begin, length);
  std::span<const std::byte> characters(raw, length);
  if (observer_ != nullptr) report(begin, "", Role::text, field.type, quoted(as_text(characters)));
  if (field.kind == Kind::counted_name) {
    if (characters.back() != std::byte{0}) return fail(ErrorCode::bad_text, begin, {"does not end with NUL"});
    characters = characters.first(length - 1);
    if (characters.empty()) return fail(ErrorCode::bad_text, begin, {"is empty"});
    if (std::memchr(raw, 0, characters.size()) != nullptr)
      return fail(ErrorCode::bad_text, begin, {"has a NUL inside"});
  }
  return assign(field, member, characters, begin);
}

bool Loader::text_length(const Field& field, std::uint64_t& length) {
  std::uint64_t begin = in_.offset();
  bool is_short = field.kind == Kind::short_text;
  const std::byte* raw = in_.take(is_short ? 1 : 4);
  if (raw == nullptr) return truncated(begin, is_short ? 1 : 4);
  length = is_short ? std::to_integer<std::uint64_t>(*raw) : big_endian_at(raw, 4);
  if (observer_ != nullptr) {
    report(begin, field.length_name, Role::length, is_short ? "uint8" : "uint32", Decimal(length));
  }
  bool counts_nul = field.kind == Kind::counted_name;
  if (length >= (counts_nul ? 1u : 0u) && length <= field.limit + (counts_nul ? 1 : 0)) return true;
  return fail(ErrorCode::bad_length, begin, {"length ", Decimal(length), ", at most ", Decimal(field.limit)});
}

bool Loader::list(const Field& field, void* parent) {
  std::uint32_t announced = 0;
  std::uint64_t begin = in_.offset();
  if (field.kind == Kind::tree && !u32(announced, "count", Role::count)) return false;
  for (std::uint64_t index = 0;; ++index) {
    Step step(*this, index);
    std::uint64_t marked = in_.offset();
    std::uint8_t more = 0;
    if (!marker(more, "more")) return under("", index);
    if (more == kEnd) {
      if (field.kind == Kind::list || index == announced) return true;
      return fail(ErrorCode::bad_length, begin, {Decimal(announced), " announced, ", Decimal(index), " came"});
    }
    if (more != kMore) {
      fail(ErrorCode::bad_marker, marked, {"list marker ", Decimal(std::uint32_t{more})});
      return under("", index);
    }
    if (index == field.limit) return fail(ErrorCode::bad_length, marked, {"more than ", Decimal(index), " elements"});
    if (!list_element(field, parent, in_.offset())) return under("", index);
  }
}

bool Loader::list_element(const Field& field, void* parent, std::uint64_t begin) {
  alignas(std::max_align_t) std::byte scratch[kMaxScratchBytes];
  field.elements->construct(scratch);
  bool good = nested(field, scratch);
  if (good && observer_ == nullptr) {
    if (auto taken = field.elements->append(parent, scratch); !taken) good = fail(std::move(taken.error()), begin);
  }
  field.elements->destroy(scratch);
  return good;
}

bool Loader::nested(const Field& field, void* object) {
  return state(*field.nested, field.is_versioned ? field.nested_version : field.nested->version, object);
}

bool Loader::descriptor(const Field& field, Descriptor& descriptor) {
  if (options_.descriptors == DescriptorEncoding::number) return descriptor_number(field, descriptor);
  if (observer_ != nullptr) return observed_service_byte(field);
  std::uint64_t begin = in_.offset();
  os::Fd* taken = in_.take_descriptor();
  if (taken == nullptr) return fail(std::move(in_.descriptor("fd").error()), begin);
  descriptor.number = taken->number();
  descriptor.received = std::move(*taken);
  return true;
}

bool Loader::descriptor_number(const Field& field, Descriptor& descriptor) {
  std::uint64_t begin = in_.offset();
  const std::byte* raw = in_.take(4);
  if (raw == nullptr) return truncated(begin, 4);
  descriptor.number = static_cast<std::int32_t>(big_endian_at(raw, 4));
  if (observer_ != nullptr) report(begin, "", Role::descriptor_number, field.type, Decimal(descriptor.number));
  if (descriptor.number >= 0) return true;
  return fail(ErrorCode::bad_descriptor, begin, {"descriptor number ", Decimal(descriptor.number)});
}

bool Loader::observed_service_byte(const Field& field) {
  std::uint64_t begin = in_.offset();
  const std::byte* raw = in_.take(1);
  if (raw == nullptr) return truncated(begin, 1);
  report(begin, "", Role::service_byte, field.type, bytes_text({raw, 1}));
  if (*raw == wire::kServiceByte) return true;
  return fail(ErrorCode::bad_service_byte, begin, {"byte ", Decimal(std::to_integer<std::uint32_t>(*raw)), ", not 32"});
}

std::string_view Loader::subsection_name_ahead(const Description& parent) const {
  const std::byte* mark = in_.peek();
  const std::byte* length = in_.peek(1);
  if (mark == nullptr || length == nullptr || *mark != std::byte{kSubsectionMark}) return {};
  auto size = std::to_integer<std::size_t>(*length);
  if (size <= parent.name.size() || in_.remaining() < 2 + size) return {};
  std::string_view name(reinterpret_cast<const char*>(length) + 1, size);
  return name.starts_with(parent.name) ? name : std::string_view{};
}

bool Loader::subsections(const Description& description, void* object) {
  std::uint64_t seen = 0;
  for (std::string_view name; !(name = subsection_name_ahead(description)).empty();) {
    std::uint64_t begin = in_.offset();
    auto known = std::ranges::find(description.subsections, name, [](auto* each) { return each->name; });
    if (known == description.subsections.end()) {
      return fail(ErrorCode::unknown_subsection, begin, {quoted(name), " is not known to ", description.name});
    }
    std::uint64_t bit = std::uint64_t{1} << (known - description.subsections.begin());
    if ((seen & bit) != 0) return fail(ErrorCode::duplicate_subsection, begin, {quoted(name), " came before"});
    seen |= bit;
    if (!subsection(**known, object)) return false;
  }
  if (observer_ != nullptr || options_.accept_missing_subsections) return true;
  for (std::size_t index = 0; index < description.subsections.size(); ++index) {
    const Description& wanted = *description.subsections[index];
    if (!wanted.is_required || (seen >> index & 1) != 0) continue;
    return fail(ErrorCode::missing_subsection, in_.offset(), {quoted(wanted.name), " is missing"});
  }
  return true;
}

bool Loader::subsection(const Description& subsection, void* object) {
  Step step(*this, subsection.name, "/");
  std::uint64_t begin = in_.offset();
  in_.take(2 + subsection.name.size());
  if (observer_ != nullptr) report_subsection(subsection.name, begin);
  std::uint32_t version = 0;
  if (!u32(version, "version", Role::version)) return under(subsection.name, "/");
  bool may_be_empty = options_.accept_empty_subsections || observer_ != nullptr;
  if (subsection.may_be_empty && may_be_empty && in_.at_end() && version <= subsection.version) return true;
  return state(subsection, version, object) || under(subsection.name, "/");
}

bool Loader::u32(std::uint32_t& value, std::string_view name, Role role) {
  std::uint64_t begin = in_.offset();
  const std::byte* raw = in_.take(4);
  if (raw == nullptr) {
    truncated(begin, 4);
    return under(name);
  }
  value = static_cast<std::uint32_t>(big_endian_at(raw, 4));
  if (observer_ != nullptr) report(begin, name, role, "uint32", Decimal(value));
  return true;
}

bool Loader::marker(std::uint8_t& value, std::string_view name) {
  std::uint64_t begin = in_.offset();
  const std::byte* raw = in_.take(1);
  if (raw == nullptr) return truncated(begin, 1);
  value = std::to_integer<std::uint8_t>(*raw);
  if (observer_ != nullptr) report(begin, name, Role::marker, "uint8", Decimal(std::uint32_t{value}));
  return true;
}

void Loader::report(std::uint64_t begin, std::string_view name, Role role, std::string_view type,
                    std::string_view value) {
  report(begin, in_.offset() - begin, name, role, type, value);
}

void Loader::report(std::uint64_t begin, std::uint64_t size, std::string_view name, Role role, std::string_view type,
                    std::string_view value) {
  Step step(*this, name);
  observer_->field({.offset = begin, .size = size, .path = path_, .role = role, .type = type, .value = value});
}

void Loader::report_subsection(std::string_view name, std::uint64_t begin) {
  report(begin, 1, "mark", Role::marker, "uint8", Decimal(std::uint32_t{kSubsectionMark}));
  report(begin + 1, 1, "idlen", Role::length, "uint8", Decimal(std::uint64_t{name.size()}));
  report(begin + 2, name.size(), "idstr", Role::text, "buffer", quoted(name));
}

void Loader::report_integer(const Field& field, std::uint64_t begin, std::uint64_t value) {
  Role role = field.rule == Rule::boolean ? Role::boolean : Role::integer;
  report(begin, "", role, field.type,
         field.is_real ? real_text(value) : integer_text(value, field.width, field.is_signed));
}

void Loader::report_bytes(const Field& field, std::uint64_t begin, std::span<const std::byte> bytes) {
  Role role = field.kind == Kind::unused ? Role::unused : Role::buffer;
  report(begin, "", role, field.type, field.type == "pci config" ? pci_config_text(bytes) : bytes_text(bytes));
}

bool Loader::fail(ErrorCode code, std::uint64_t offset, std::initializer_list<std::string_view> reason) {
  error_ = std::move(refuse_at(code, offset, reason).error());
  return false;
}

bool Loader::truncated(std::uint64_t offset, std::uint64_t wanted) {
  return fail(ErrorCode::truncated, offset,
              {"needs ", Decimal(wanted), " bytes, ", Decimal(in_.remaining()), " are left"});
}

bool Loader::fail(Error&& error, std::uint64_t offset) {
  error_ = std::move(error);
  if (!error_.offset) error_.offset = offset;
  return false;
}

bool Loader::under(std::string_view step, std::string_view after) {
  std::string path(step);
  path += after;
  if (!failed_path_.empty() && !failed_path_.starts_with('[') && !path.ends_with('/')) path += '.';
  failed_path_ = path + failed_path_;
  return false;
}

bool Loader::under(std::string_view step, std::uint64_t index) {
  std::string path(step);
  path += '[';
  path += Decimal(index);
  path += ']';
  return under(path);
}

std::unexpected<Error> Loader::error() {
  if (!failed_path_.empty()) error_.text = failed_path_ + ": " + error_.text;
  return std::unexpected(std::move(error_));
}

}  // namespace

Expected<void> load_erased(const Description& description, std::uint32_t version, void* object, wire::Reader& in,
                           const LoadOptions& options) {
  Loader loader(in, options);
  if (!loader.state(description, version, object)) return loader.error();
  return {};
}

Expected<void> observe_erased(const Description& description, std::uint32_t version, void* scratch, wire::Reader& in,
                              DescriptorEncoding descriptors, std::string_view prefix, Observer& observer) {
  LoadOptions options{.descriptors = descriptors};
  Loader loader(in, options, prefix, observer);
  if (!loader.state(description, version, scratch)) return loader.error();
  return {};
}

Expected<void> expect_end(const wire::Reader& in) {
  if (in.at_end()) return {};
  return refuse_at(ErrorCode::trailing_bytes, in.offset(), {Decimal(in.remaining()), " bytes follow the last field"});
}

}  // namespace vcpr::vmstate
