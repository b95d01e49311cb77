// The typed builders of descriptions: member pointers in, plain constexpr data (description.hpp) out.
//
//   struct Route { std::uint32_t mode; std::int32_t irq; };
//   inline constexpr Field kRouteFields[] = {field<&Route::mode>("mode"), field<&Route::irq>("irq").since(2)};
//   inline constexpr auto kRoute = describe<Route>("route", 2, kRouteFields).minimum(1).post_load<&check_route>();
//
// What cannot be (a field of another struct, a subsection that does not begin with its parent's name) does not compile.
#pragma once

#include "engine/os/fd.hpp"
#include "engine/vmstate/storage.hpp"

namespace vcpr::vmstate {

/// A Field while it is being described: each call refines it.
template <class Owner>
struct FieldBuilder {
  Field field;

  constexpr operator Field() const { return field; }  // NOLINT(google-explicit-constructor): it is one

  /// Present since this version of the description.
  constexpr FieldBuilder since(std::uint32_t version) const { return with(&Field::version, version); }
  /// Present when Test(object) or Test(object, version) holds; decides alone, whatever the version.
  template <auto Test>
  constexpr FieldBuilder exists() const {
    return with(&Field::exists, &test_of<Owner, Test>);
  }
  /// A failed test refuses the stream (or the save).
  constexpr FieldBuilder must_exist() const { return with(&Field::must_exist, true); }
  constexpr FieldBuilder equal() const { return with(&Field::rule, Rule::equal).typed_equal(); }
  constexpr FieldBuilder at_most(std::uint64_t maximum) const {
    return with(&Field::rule, Rule::at_most).with(&Field::maximum, maximum);
  }
  /// The count is multiplied by a constant.
  constexpr FieldBuilder times(std::uint32_t factor) const { return with(&Field::times, factor); }
  /// At most this many elements or bytes.
  constexpr FieldBuilder limit(std::uint64_t limit) const { return with(&Field::limit, limit); }
  /// The name of the type in a vmdescription, for an array printed as one field.
  constexpr FieldBuilder as(std::string_view type) const {
    return with(&Field::type, type).with(&Field::is_whole, true);
  }
  /// What the length in front of a counted text is called.
  constexpr FieldBuilder length(std::string_view name) const { return with(&Field::length_name, name); }
  /// Pointers: 0x31 before each element that is there.
  constexpr FieldBuilder marked() const { return with(&Field::shape, Shape::marked_pointers); }
  /// Versioned struct: loaded and saved as this version of the nested description.
  constexpr FieldBuilder versioned(std::uint32_t version) const {
    return with(&Field::nested_version, version).with(&Field::is_versioned, true).with(&Field::type, "vstruct");
  }

  template <class Value>
  constexpr FieldBuilder with(Value Field::* member, std::type_identity_t<Value> value) const {
    FieldBuilder refined = *this;
    refined.field.*member = value;
    return refined;
  }

 private:
  constexpr FieldBuilder typed_equal() const {
    constexpr std::pair<std::string_view, std::string_view> kNames[] = {
        {"uint8", "uint8 equal"}, {"uint16", "uint16 equal"}, {"uint32", "uint32 equal"}, {"uint64", "uint64 equal"},
        {"int32", "int32 equal"}, {"int64", "int64 equal"},   {"int8", "int8 equal"},     {"int16", "int16 equal"},
    };
    for (auto [plain, equal] : kNames) {
      if (field.type == plain) return with(&Field::type, equal);
    }
    return *this;
  }
};

/// What an integer member is on the wire.
template <class T>
constexpr Field integer_of() {
  using Number = typename std::conditional_t<std::is_enum_v<T>, std::underlying_type<T>, std::type_identity<T>>::type;
  static_assert(std::is_arithmetic_v<Number>, "neither an integer, an enumeration, a bool nor a double");
  constexpr bool is_bool = std::is_same_v<Number, bool>;
  constexpr bool is_real = std::is_same_v<Number, double>;
  constexpr std::string_view kSigned[] = {"int8", "int16", "int32", "int64"};
  constexpr std::string_view kUnsigned[] = {"uint8", "uint16", "uint32", "uint64"};
  constexpr std::size_t log = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
  return {.type = is_bool                    ? "bool"
                  : is_real                  ? "float64"
                  : std::is_signed_v<Number> ? kSigned[log]
                                             : kUnsigned[log],
          .kind = Kind::integer,
          .rule = is_bool ? Rule::boolean : Rule::any,
          .is_signed = std::is_signed_v<Number> && !is_real,
          .is_real = is_real,
          .width = sizeof(T),
          .stride = sizeof(T)};
}

/// Fills in what every field has: its name, its owner, where its member is.
template <class P>
constexpr FieldBuilder<typename P::Owner> field_at(std::string_view name, Field field) {
  field.name = name;
  field.owner = &kTag<typename P::Owner>;
  field.at = &member_at<P>;
  field.look = &member_look<P>;
  return {field};
}

/// The parts of a field that a fixed array adds to its element's.
template <class Member>
constexpr Field array_of(Field element) {
  element.shape = Shape::array;
  element.storage = &kArrayStorage<Member>;
  element.grows = ArrayOf<Member>::grows;
  element.fixed_count = static_cast<std::int64_t>(ArrayOf<Member>::capacity);
  return element;
}

/// A bool, integer, enumeration or double, or a fixed array of them. The path may go into nested structs.
template <auto... Members>
constexpr auto field(std::string_view name) {
  using P = Path<Members...>;
  using Value = typename P::Value;
  if constexpr (ArrayOf<Value>::is_array) {
    static_assert(!ArrayOf<Value>::grows, "varray: a vector's count comes from another member");
    return field_at<P>(name, array_of<Value>(integer_of<typename ArrayOf<Value>::Element>()));
  } else {
    return field_at<P>(name, integer_of<Value>());
  }
}

/// int32 that must lie between 0 and the value the object has ("int32 le").
template <auto... Members>
constexpr auto less_or_equal(std::string_view name) {
  static_assert(std::is_same_v<typename Path<Members...>::Value, std::int32_t>);
  return field<Members...>(name).with(&Field::rule, Rule::less_or_equal).with(&Field::type, "int32 le");
}

/// A point in virtual time, all-ones when not armed.
inline constexpr std::int64_t kTimerNotArmed = -1;
template <auto... Members>
constexpr auto timer(std::string_view name) {
  static_assert(std::is_same_v<typename Path<Members...>::Value, std::int64_t>);
  return field<Members...>(name).with(&Field::type, "timer");
}

/// An array whose count is Count(object): a member loaded earlier, or something the object knows.
template <auto Member, auto Count>
constexpr auto varray(std::string_view name) {
  using P = Path<Member>;
  using Array = typename P::Value;
  return field_at<P>(name, array_of<Array>(integer_of<typename ArrayOf<Array>::Element>()))
      .with(&Field::count, &count_of<typename P::Owner, Count>);
}

/// Words of 64 bits, the least significant bit of the first word first; Words(object) is ceil(bits / 64).
template <auto Member, auto Words>
constexpr auto bitmap(std::string_view name) {
  return varray<Member, Words>(name).as("bitmap");
}

/// A fixed array of bytes.
template <auto... Members>
constexpr auto buffer(std::string_view name) {
  using P = Path<Members...>;
  using Value = typename P::Value;
  static_assert(ArrayOf<Value>::is_array && !ArrayOf<Value>::grows);
  return field_at<P>(name, {.type = "buffer",
                            .kind = Kind::bytes,
                            .limit = kMaxBufferBytes,
                            .fixed_count = ArrayOf<Value>::capacity,
                            .storage = &kBytesStorage<Value>});
}

/// A buffer as long as Size(object): a member loaded earlier, or something the object knows.
template <auto Member, auto Size>
constexpr auto vbuffer(std::string_view name) {
  using P = Path<Member>;
  return field_at<P>(name, {.type = "buffer",
                            .kind = Kind::bytes,
                            .limit = kMaxBufferBytes,
                            .count = &count_of<typename P::Owner, Size>,
                            .storage = &kBytesStorage<typename P::Value>});
}

/// Text of its own length, into a std::string or as a std::string_view into the stream.
template <auto... Members>
constexpr auto text_field(std::string_view name, Kind kind, std::uint64_t limit) {
  using P = Path<Members...>;
  return field_at<P>(name,
                     {.type = "buffer", .kind = kind, .limit = limit, .storage = &kBytesStorage<typename P::Value>});
}
/// be32 length that counts a final NUL. Not empty, no NUL inside, at most `limit` characters.
template <auto... Members>
constexpr auto counted_name(std::string_view name, std::uint64_t limit) {
  return text_field<Members...>(name, Kind::counted_name, limit);
}
/// be32 length, no NUL.
template <auto Member>
constexpr auto counted_text(std::string_view name, std::uint64_t limit) {
  return text_field<Member>(name, Kind::counted_text, limit);
}
/// u8 length, no NUL.
template <auto Member>
constexpr auto short_text(std::string_view name) {
  return text_field<Member>(name, Kind::short_text, 255);
}

template <class T>
struct DescriptionOf;

template <class T>
constexpr Field structure_of(const DescriptionOf<T>& nested) {
  return {.type = "struct", .kind = Kind::structure, .stride = sizeof(T), .nested = &nested};
}

/// A nested description inline: over a struct, a fixed array of structs, or a unique_ptr (made on load if null, and
/// never null on save).
template <auto... Members, class T>
constexpr auto structure(std::string_view name, const DescriptionOf<T>& nested) {
  using P = Path<Members...>;
  using Value = typename P::Value;
  Field field = structure_of(nested);
  if constexpr (ArrayOf<Value>::is_array) {
    static_assert(!ArrayOf<Value>::grows && std::is_same_v<typename ArrayOf<Value>::Element, T>);
    return field_at<P>(name, array_of<Value>(field));
  } else if constexpr (PointerTo<Value>::is_pointer) {
    static_assert(std::is_same_v<typename PointerTo<Value>::Element, T>);
    field.storage = &kPointerStorage<Value>;
    return field_at<P>(name, field);
  } else {
    static_assert(std::is_same_v<Value, T>);
    return field_at<P>(name, field);
  }
}

/// A further description of the same object.
template <class T>
void* same_object(void* object) {
  return object;
}
template <class T>
const void* same_object_const(const void* object) {
  return object;
}
template <class T>
constexpr FieldBuilder<T> part(std::string_view name, const DescriptionOf<T>& nested) {
  Field field = structure_of(nested);
  field.name = name;
  field.owner = &kTag<T>;
  field.at = &same_object<T>;
  field.look = &same_object_const<T>;
  return {field};
}

/// Structs back to back, Count(object) of them.
template <auto Member, auto Count, class T>
constexpr auto struct_varray(std::string_view name, const DescriptionOf<T>& nested) {
  using P = Path<Member>;
  static_assert(std::is_same_v<typename ArrayOf<typename P::Value>::Element, T>);
  return field_at<P>(name, array_of<typename P::Value>(structure_of(nested)))
      .with(&Field::count, &count_of<typename P::Owner, Count>);
}

/// A fixed array of unique_ptr: 0x30 for null, otherwise the struct; with marked(), 0x31 before each struct.
template <auto Member, class T>
constexpr auto pointer_array(std::string_view name, const DescriptionOf<T>& nested) {
  using P = Path<Member>;
  using Array = typename P::Value;
  using Slot = typename ArrayOf<Array>::Element;
  static_assert(std::is_same_v<typename PointerTo<Slot>::Element, T>);
  Field field = array_of<Array>(structure_of(nested));
  field.shape = Shape::pointers;
  field.stride = sizeof(Slot);
  field.storage = &kPointerArrayStorage<Array, Slot>;
  return field_at<P>(name, field);
}

template <class P, class Ops, class T>
constexpr auto elements_of(std::string_view name, Kind kind, std::string_view type, const DescriptionOf<T>& element,
                           std::uint64_t limit) {
  return field_at<P>(name, {.type = type,
                            .kind = kind,
                            .limit = limit,
                            .nested = &element,
                            .elements = &kListElements<typename P::Value, Ops, T>});
}
/// A list (QEMU's QLIST, and QTAILQ: same bytes) of at most `limit` elements. Each is parsed into a scratch T and
/// handed to Ops::append(Member&, T&&) -> Expected<void>; saving asks Ops::size(const Member&) and
/// Ops::at(const Member&, position) -> T. Text members may be views into the stream.
template <auto Member, class Ops, class T>
constexpr auto list(std::string_view name, const DescriptionOf<T>& element, std::uint64_t limit) {
  return elements_of<Path<Member>, Ops>(name, Kind::list, "qlist", element, limit);
}
/// The same over a std::vector<T>.
template <auto Member, class T>
constexpr auto vector_list(std::string_view name, const DescriptionOf<T>& element, std::uint64_t limit) {
  return list<Member, VectorList<T>>(name, element, limit);
}
/// A list with its count in front (QEMU's GTree); the element describes key and value.
template <auto Member, class Ops, class T>
constexpr auto tree(std::string_view name, const DescriptionOf<T>& element, std::uint64_t limit) {
  return elements_of<Path<Member>, Ops>(name, Kind::tree, "gtree", element, limit);
}

/// A temporary of type T made by Make(const Owner&) before saving, and given to Keep(Owner&, T&&) after loading.
template <class Owner, auto Make, auto Keep, class T>
constexpr FieldBuilder<Owner> temporary(std::string_view name, const DescriptionOf<T>& description) {
  return {{.name = name,
           .type = "tmp",
           .kind = Kind::temporary,
           .owner = &kTag<Owner>,
           .at = &same_object<Owner>,
           .look = &same_object_const<Owner>,
           .nested = &description,
           .elements = &kTemporaryElement<Owner, T, Make, Keep>}};
}

/// A descriptor as it came out of a stream: owned when it rode on a service byte, only a number in exec encoding.
/// Saving takes the number.
struct Descriptor {
  os::Fd received;
  std::int32_t number = -1;
};
template <auto Member>
constexpr auto descriptor(std::string_view name) {
  using P = Path<Member>;
  static_assert(std::is_same_v<typename P::Value, Descriptor>);
  return field_at<P>(name, {.type = "fd", .kind = Kind::descriptor});
}

/// Padding: written as zeros, ignored on load.
template <class Owner>
constexpr FieldBuilder<Owner> unused(std::uint32_t bytes) {
  return {{.name = "unused",
           .type = "unused_buffer",
           .kind = Kind::unused,
           .fixed_count = bytes,
           .owner = &kTag<Owner>,
           .at = &same_object<Owner>,
           .look = &same_object_const<Owner>}};
}

/// No bytes: the stream is refused at this point unless Test holds.
template <class Owner, auto Test>
constexpr FieldBuilder<Owner> validate(std::string_view name) {
  return {{.name = name,
           .type = "validate",
           .kind = Kind::validate,
           .must_exist = true,
           .owner = &kTag<Owner>,
           .at = &same_object<Owner>,
           .look = &same_object_const<Owner>,
           .exists = &test_of<Owner, Test>}};
}

template <class Owner, auto Hook>
Expected<void> hook_on_save(const void* object) {
  return std::invoke(Hook, *static_cast<const Owner*>(object));
}
template <class Owner, auto Hook>
Expected<void> hook_before_load(void* object) {
  return std::invoke(Hook, *static_cast<Owner*>(object));
}
template <class Owner, auto Hook>
Expected<void> hook_after_load(void* object, std::uint32_t version) {
  auto& owner = *static_cast<Owner*>(object);
  if constexpr (std::is_invocable_v<decltype(Hook), Owner&, std::uint32_t>) {
    return std::invoke(Hook, owner, version);
  } else {
    return std::invoke(Hook, owner);
  }
}
template <class Owner, auto Test>
bool needed_test(const void* object) {
  return std::invoke(Test, *static_cast<const Owner*>(object));
}

/// A Description of T. Refined by calls; hooks take T (const T on save) and return Expected<void>.
template <class T>
struct DescriptionOf : Description {
  constexpr DescriptionOf minimum(std::uint32_t oldest) const { return with(&Description::minimum_version, oldest); }
  constexpr DescriptionOf at(Priority value) const { return with(&Description::priority, value); }
  /// As a subsection.
  constexpr DescriptionOf required() const { return with(&Description::is_required, true); }
  constexpr DescriptionOf possibly_empty() const { return with(&Description::may_be_empty, true); }
  template <auto Test>
  constexpr DescriptionOf needed_if() const {
    return with(&Description::needed, &needed_test<T, Test>);
  }
  template <auto Hook>
  constexpr DescriptionOf before_save() const {
    return with(&Description::pre_save, &hook_on_save<T, Hook>);
  }
  template <auto Hook>
  constexpr DescriptionOf after_save() const {
    return with(&Description::post_save, &hook_on_save<T, Hook>);
  }
  template <auto Hook>
  constexpr DescriptionOf before_load() const {
    return with(&Description::pre_load, &hook_before_load<T, Hook>);
  }
  /// Hook(T&) or Hook(T&, version of the stream).
  template <auto Hook>
  constexpr DescriptionOf after_load() const {
    return with(&Description::post_load, &hook_after_load<T, Hook>);
  }
  /// Saved in this order; loaded in any. Each name begins with this description's and is longer.
  consteval DescriptionOf with_subsections(std::span<const Description* const> given) const {
    if (given.size() > kMaxSubsections) throw "too many subsections";
    for (const Description* subsection : given) {
      if (subsection->owner != &kTag<T>) throw "a subsection of another struct";
      if (subsection->name.size() > 255) throw "a subsection's name has one byte of length";
      if (!subsection->name.starts_with(name) || subsection->name.size() == name.size()) {
        throw "a subsection's name begins with its parent's and is longer";
      }
    }
    return with(&Description::subsections, given);
  }

 private:
  template <class Value>
  constexpr DescriptionOf with(Value Description::* member, std::type_identity_t<Value> value) const {
    DescriptionOf refined = *this;
    refined.*member = value;
    return refined;
  }
};

/// `fields` must be a constexpr array at namespace scope: the description refers to it.
template <class T>
consteval DescriptionOf<T> describe(std::string_view name, std::uint32_t version, std::span<const Field> fields = {}) {
  for (const Field& field : fields) {
    if (field.owner != &kTag<T>) throw "a field of another struct";
  }
  DescriptionOf<T> description;
  description.name = name;
  description.version = version;
  description.owner = &kTag<T>;
  description.fields = fields;
  return description;
}

}  // namespace vcpr::vmstate
