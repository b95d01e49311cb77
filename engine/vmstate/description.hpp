// The state description language: what a state looks like in a stream, as plain data built at compile time.
//
// A Description is a list of Fields over one struct, then subsections. It is written with the typed builders of
// fields.hpp, which take member pointers; here is only what they leave behind, without types, for the one codec
// (codec.hpp) that interprets it. The encoding rules are in FORMAT.md, "State descriptions".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/os/error.hpp"

namespace vcpr::vmstate {

/// Ceilings for what a description does not limit itself. Everything a stream counts is held to one of them before
/// memory is taken for it.
inline constexpr std::uint64_t kMaxBufferBytes = 1u << 20;
inline constexpr std::uint32_t kMaxElements = 1u << 16;
/// A list's or tree's element is parsed into scratch memory of this size.
inline constexpr std::size_t kMaxScratchBytes = 512;
/// Subsections of one description; a load remembers which it has seen in one word.
inline constexpr std::size_t kMaxSubsections = 64;

enum class Kind : std::uint8_t {
  integer,       ///< 1, 2, 4 or 8 bytes, big-endian: also bool, timer (all-ones: not armed) and double (its bits)
  bytes,         ///< a buffer, fixed or as long as `count` says
  counted_name,  ///< be32 length that counts a final NUL, the characters, the NUL
  counted_text,  ///< be32 length, the characters
  short_text,    ///< u8 length, the characters
  structure,     ///< the nested description inline
  list,          ///< { 0x01 element }*, 0x00
  tree,          ///< be32 count, { 0x01 element }*, 0x00; the count must match
  temporary,     ///< nested description over a temporary made from the object
  descriptor,    ///< service byte with a descriptor, or its number (the codec's options choose)
  unused,        ///< `count` zero bytes, ignored on load
  validate,      ///< no bytes; the field's test must hold
};

/// What a loaded integer must satisfy: bad_value otherwise.
enum class Rule : std::uint8_t {
  any,
  boolean,        ///< 0 or 1; QEMU reads any non-zero as true, but sends nothing else
  equal,          ///< the value the object already has
  less_or_equal,  ///< not negative, and at most the value the object already has ("int32 le")
  at_most,        ///< at most `maximum`, unsigned
};

/// How many of the kind stand back to back.
enum class Shape : std::uint8_t {
  one,
  array,
  pointers,         ///< an element, or 0x30 for a null pointer
  marked_pointers,  ///< 0x31 and an element, or 0x30 (QEMU 11.x)
};

inline constexpr std::uint8_t kNullPointer = 0x30;
inline constexpr std::uint8_t kValidPointer = 0x31;
inline constexpr std::uint8_t kMore = 0x01;
inline constexpr std::uint8_t kEnd = 0x00;
inline constexpr std::uint8_t kSubsectionMark = 0x05;

/// Elements in memory, `stride` bytes apart.
struct Elements {
  const std::byte* first = nullptr;
  std::uint64_t count = 0;
};

enum class PointerUse : std::uint8_t { look, make, drop };

/// What the codec can do with a member whose type it does not know. Only those its kind and shape need are set.
struct Storage {
  /// Room for `count` elements; null when the member cannot hold so many.
  std::byte* (*prepare)(void* member, std::uint64_t count) = nullptr;
  Elements (*elements)(const void* member) = nullptr;
  /// The pointee of a slot: as it is, freshly made, or dropped (then null).
  void* (*pointer)(void* slot, PointerUse use) = nullptr;
  const void* (*pointee)(const void* slot) = nullptr;
  /// Bytes and text. False when the member is a fixed buffer of another size.
  bool (*assign)(void* member, std::span<const std::byte> bytes) = nullptr;
  std::span<const std::byte> (*bytes)(const void* member) = nullptr;
};

/// Typed operations of a list, a tree or a temporary, on a scratch element that the codec places.
struct ElementOperations {
  void (*construct)(void* scratch) = nullptr;
  void (*destroy)(void* scratch) = nullptr;
  std::uint64_t (*size)(const void* parent) = nullptr;
  /// Fills the scratch with element `position` (ascending from 0) for saving.
  void (*fetch)(const void* parent, std::uint64_t position, void* scratch) = nullptr;
  /// Takes what was loaded. An error refuses the stream at the element's first byte.
  Expected<void> (*append)(void* parent, void* scratch) = nullptr;
};

struct Description;

struct Field {
  std::string_view name = {};
  std::string_view type = {};            ///< as a vmdescription prints it
  std::string_view length_name = "len";  ///< of a counted text's length
  Kind kind{};
  Shape shape = Shape::one;
  Rule rule = Rule::any;
  bool is_signed = false;
  bool is_real = false;     ///< the integer's bits are a double
  bool is_whole = false;    ///< an array that a vmdescription prints as one field
  bool must_exist = false;  ///< a failed test is an error, not an absence
  bool grows = false;       ///< memory is taken on load: `limit` decides, not the member's capacity
  std::uint8_t width = 0;   ///< of an integer, in bytes
  std::uint32_t version = 0;
  std::uint32_t stride = 0;             ///< between elements in memory
  std::uint32_t times = 1;              ///< `count` is multiplied by this
  std::uint32_t nested_version = 0;     ///< versioned struct: loaded as this version
  bool is_versioned = false;            ///< ... rather than as the nested description's own
  std::uint64_t limit = kMaxElements;   ///< elements or bytes
  std::uint64_t maximum = 0;            ///< Rule::at_most
  std::int64_t fixed_count = 1;         ///< when `count` is null
  const void* owner = nullptr;          ///< tag of the struct it belongs to
  void* (*at)(void* object) = nullptr;  ///< the member
  const void* (*look)(const void* object) = nullptr;
  bool (*exists)(const void* object, std::uint32_t version) = nullptr;
  std::int64_t (*count)(const void* object) = nullptr;  ///< negative: bad_length
  const Storage* storage = nullptr;
  const Description* nested = nullptr;
  const ElementOperations* elements = nullptr;
};

/// When a section is saved, and so loaded: higher first, then in order of registration. The ranks are QEMU's
/// (include/migration/vmstate.h, MigrationPriority).
enum class Priority : std::uint8_t {
  low = 1,     ///< vfio-container: after everything that can change the flat memory map
  normal = 2,  ///< vfio-cpr-pci, iommufd, the chipset
  iommu = 3,
  pci_bus = 4,
  virtio_mem = 5,
  apic = 6,  ///< before any irqfd is attached: a later KVM_SET_LAPIC would erase what it injected
  gicv3_its = 7,
  gicv3 = 8,
};
inline constexpr std::size_t kPriorities = 9;

struct Description {
  std::string_view name;
  std::uint32_t version = 0;
  std::uint32_t minimum_version = 0;
  Priority priority = Priority::normal;
  /// As a subsection: its absence is missing_subsection, unless LoadOptions accept it.
  bool is_required = false;
  /// As a subsection: LoadOptions may accept that the stream ends right after its version.
  bool may_be_empty = false;
  const void* owner = nullptr;
  std::span<const Field> fields;
  std::span<const Description* const> subsections;
  bool (*needed)(const void* object) = nullptr;
  Expected<void> (*pre_save)(const void* object) = nullptr;
  Expected<void> (*post_save)(const void* object) = nullptr;  ///< also after a failed field
  Expected<void> (*pre_load)(void* object) = nullptr;
  Expected<void> (*post_load)(void* object, std::uint32_t version) = nullptr;
};

}  // namespace vcpr::vmstate
