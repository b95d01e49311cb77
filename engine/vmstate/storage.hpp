// Type-erased access to members: the functions behind Field::at, Storage and ElementOperations, one set per C++ type.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/vmstate/description.hpp"

namespace vcpr::vmstate {

/// One address per struct: what a field belongs to.
template <class T>
inline constexpr char kTag = 0;

template <class>
struct MemberPointer;
template <class Object, class Member>
  requires(!std::is_function_v<Member>)
struct MemberPointer<Member Object::*> {
  using Owner = Object;
  using Value = Member;
};

/// The member at the end of a path of member pointers, and the struct it starts from.
template <auto First, auto... Rest>
struct Path {
  using Owner = typename MemberPointer<decltype(First)>::Owner;
  using Value = typename Path<Rest...>::Value;
  static auto& in(auto& object) { return Path<Rest...>::in(object.*First); }
};
template <auto Last>
struct Path<Last> {
  using Owner = typename MemberPointer<decltype(Last)>::Owner;
  using Value = typename MemberPointer<decltype(Last)>::Value;
  static auto& in(auto& object) { return object.*Last; }
};

template <class P>
void* member_at(void* object) {
  return &P::in(*static_cast<typename P::Owner*>(object));
}
template <class P>
const void* member_look(const void* object) {
  return &P::in(*static_cast<const typename P::Owner*>(object));
}

/// A count, size or test: a member, a member function or a free function of the object.
template <class Owner, auto Count>
std::int64_t count_of(const void* object) {
  return static_cast<std::int64_t>(std::invoke(Count, *static_cast<const Owner*>(object)));
}
template <class Owner, auto Test>
bool test_of(const void* object, std::uint32_t version) {
  const auto& owner = *static_cast<const Owner*>(object);
  if constexpr (std::is_invocable_v<decltype(Test), const Owner&, std::uint32_t>) {
    return std::invoke(Test, owner, version);
  } else {
    return std::invoke(Test, owner);
  }
}

/// What an array member is made of: C arrays and std::array hold a fixed number, std::vector grows.
template <class T>
struct ArrayOf {
  static constexpr bool is_array = false, grows = false;
  static constexpr std::size_t capacity = 0;
};
template <class T, std::size_t N>
struct ArrayOf<std::array<T, N>> {
  static constexpr bool is_array = true, grows = false;
  static constexpr std::size_t capacity = N;
  using Element = T;
};
template <class T, std::size_t N>
struct ArrayOf<T[N]> : ArrayOf<std::array<T, N>> {};
template <class T>
struct ArrayOf<std::vector<T>> {
  static constexpr bool is_array = true, grows = true;
  static constexpr std::size_t capacity = 0;
  using Element = T;
};

template <class T>
struct PointerTo {
  static constexpr bool is_pointer = false;
};
template <class T>
struct PointerTo<std::unique_ptr<T>> {
  static constexpr bool is_pointer = true;
  using Element = T;
};

template <class Member>
struct ArrayStorage {
  static std::byte* prepare(void* member, std::uint64_t count) {
    auto& array = *static_cast<Member*>(member);
    if constexpr (ArrayOf<Member>::grows) {
      array.resize(count);
      return reinterpret_cast<std::byte*>(array.data());
    } else {
      return count <= ArrayOf<Member>::capacity ? reinterpret_cast<std::byte*>(std::data(array)) : nullptr;
    }
  }
  static Elements elements(const void* member) {
    const auto& array = *static_cast<const Member*>(member);
    return {reinterpret_cast<const std::byte*>(std::data(array)), std::size(array)};
  }
};

template <class Slot>
struct PointerStorage {
  using Element = typename PointerTo<Slot>::Element;
  static void* pointer(void* slot, PointerUse use) {
    auto& owner = *static_cast<Slot*>(slot);
    if (use == PointerUse::make && owner == nullptr) owner = std::make_unique<Element>();
    if (use == PointerUse::drop) owner.reset();
    return owner.get();
  }
  static const void* pointee(const void* slot) { return static_cast<const Slot*>(slot)->get(); }
};

/// Buffers and text: views into the stream, owning containers, fixed arrays of byte-sized elements.
template <class Member>
struct BytesStorage {
  static bool assign(void* member, std::span<const std::byte> bytes) {
    auto& value = *static_cast<Member*>(member);
    using Element = std::remove_cvref_t<decltype(*std::data(value))>;
    static_assert(sizeof(Element) == 1, "a buffer is made of bytes");
    const auto* first = reinterpret_cast<const Element*>(bytes.data());
    if constexpr (ArrayOf<Member>::is_array && !ArrayOf<Member>::grows) {
      if (bytes.size() > ArrayOf<Member>::capacity) return false;
      std::copy_n(first, bytes.size(), std::data(value));
    } else if constexpr (requires { value.assign(first, first + bytes.size()); }) {
      value.assign(first, first + bytes.size());
    } else {
      value = Member(first, bytes.size());
    }
    return true;
  }
  static std::span<const std::byte> bytes(const void* member) {
    return std::as_bytes(std::span(*static_cast<const Member*>(member)));
  }
};

template <class Member>
inline constexpr Storage kArrayStorage{.prepare = &ArrayStorage<Member>::prepare,
                                       .elements = &ArrayStorage<Member>::elements};
template <class Slot>
inline constexpr Storage kPointerStorage{.pointer = &PointerStorage<Slot>::pointer,
                                         .pointee = &PointerStorage<Slot>::pointee};
template <class Member, class Slot>
inline constexpr Storage kPointerArrayStorage{.prepare = &ArrayStorage<Member>::prepare,
                                              .elements = &ArrayStorage<Member>::elements,
                                              .pointer = &PointerStorage<Slot>::pointer,
                                              .pointee = &PointerStorage<Slot>::pointee};
template <class Member>
inline constexpr Storage kBytesStorage{.assign = &BytesStorage<Member>::assign, .bytes = &BytesStorage<Member>::bytes};

template <class Element>
void construct_element(void* scratch) {
  static_assert(sizeof(Element) <= kMaxScratchBytes && alignof(Element) <= alignof(std::max_align_t));
  ::new (scratch) Element();
}
template <class Element>
void destroy_element(void* scratch) {
  static_cast<Element*>(scratch)->~Element();
}

/// Ops: static size(const Parent&), at(const Parent&, position) -> Element, append(Parent&, Element&&).
template <class Parent, class Ops, class Element>
struct ListElements {
  static std::uint64_t size(const void* parent) { return Ops::size(*static_cast<const Parent*>(parent)); }
  static void fetch(const void* parent, std::uint64_t position, void* scratch) {
    *static_cast<Element*>(scratch) = Ops::at(*static_cast<const Parent*>(parent), position);
  }
  static Expected<void> append(void* parent, void* scratch) {
    return Ops::append(*static_cast<Parent*>(parent), std::move(*static_cast<Element*>(scratch)));
  }
};
template <class Parent, class Ops, class Element>
inline constexpr ElementOperations kListElements{
    .construct = &construct_element<Element>,
    .destroy = &destroy_element<Element>,
    .size = &ListElements<Parent, Ops, Element>::size,
    .fetch = &ListElements<Parent, Ops, Element>::fetch,
    .append = &ListElements<Parent, Ops, Element>::append,
};

/// List operations of a vector of copyable elements.
template <class Element>
struct VectorList {
  static std::uint64_t size(const std::vector<Element>& list) { return list.size(); }
  static Element at(const std::vector<Element>& list, std::uint64_t position) { return list[position]; }
  static Expected<void> append(std::vector<Element>& list, Element&& element) {
    list.push_back(std::move(element));
    return {};
  }
};

/// Make(const Owner&) -> Temporary before saving; Keep(Owner&, Temporary&&) -> Expected<void> after loading.
template <class Owner, class Temporary, auto Make, auto Keep>
struct TemporaryElement {
  static std::uint64_t size(const void*) { return 1; }
  static void fetch(const void* owner, std::uint64_t, void* scratch) {
    *static_cast<Temporary*>(scratch) = std::invoke(Make, *static_cast<const Owner*>(owner));
  }
  static Expected<void> append(void* owner, void* scratch) {
    return std::invoke(Keep, *static_cast<Owner*>(owner), std::move(*static_cast<Temporary*>(scratch)));
  }
};
template <class Owner, class Temporary, auto Make, auto Keep>
inline constexpr ElementOperations kTemporaryElement{
    .construct = &construct_element<Temporary>,
    .destroy = &destroy_element<Temporary>,
    .size = &TemporaryElement<Owner, Temporary, Make, Keep>::size,
    .fetch = &TemporaryElement<Owner, Temporary, Make, Keep>::fetch,
    .append = &TemporaryElement<Owner, Temporary, Make, Keep>::append,
};

}  // namespace vcpr::vmstate
