// Who saves and loads each section of a main stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/vmstate/fields.hpp"
#include "engine/wire/reader.hpp"
#include "engine/wire/writer.hpp"

namespace vcpr::vmstate {

inline constexpr std::size_t kMaxIdstrBytes = 255;

/// A section that comes in parts and that no description covers, such as "ram".
class IterableSection {
 public:
  virtual ~IterableSection() = default;
  virtual Expected<void> save_start(wire::Writer& out) = 0;
  virtual Expected<void> save_last_part(wire::Writer& out) = 0;
  /// One part, from its first byte to the one before the footer.
  virtual Expected<void> load_part(wire::Reader& in, std::uint32_t version) = 0;
};

/// One registration. Either a description over an object, or an iterable.
struct Section {
  std::string idstr;
  std::uint32_t instance_id = 0;
  std::uint32_t section_id = 0;  ///< counts registrations from 0; none is used twice
  std::uint32_t version = 0;
  const Description* description = nullptr;
  void* object = nullptr;
  IterableSection* iterable = nullptr;
  bool counted = false;  ///< its instance id is its place among those of its idstr

  bool is(std::string_view name, std::uint32_t instance) const { return idstr == name && instance_id == instance; }
  /// "ram instance 0"
  std::string text() const;
};

/// Keys (idstr, instance id) are unique. Objects are borrowed and must outlive it.
class SectionTable {
 public:
  /// duplicate_key; bad_length (idstr empty or beyond kMaxIdstrBytes).
  template <class T>
  Expected<void> add(std::string_view idstr, std::uint32_t instance_id, const DescriptionOf<T>& description,
                     T& object) {
    return add({.idstr = std::string(idstr),
                .instance_id = instance_id,
                .version = description.version,
                .description = &description,
                .object = &object});
  }
  Expected<void> add_iterable(std::string_view idstr, std::uint32_t instance_id, std::uint32_t version,
                              IterableSection& iterable) {
    return add({.idstr = std::string(idstr), .instance_id = instance_id, .version = version, .iterable = &iterable});
  }
  /// Another table's section, under an id of this one.
  Expected<void> add(Section section);
  /// The object is gone: nothing is saved or loaded for it any more, the other sections keep their ids. missing_key.
  Expected<void> remove(std::string_view idstr, std::uint32_t instance_id);
  /// A section that nothing but the order of creation tells from others of its description: instance 0, 1, 2 ... When
  /// one goes, those after it move up, as the new side numbers what it makes from 0 (QEMU's keep their numbers: an
  /// unplug spoils the next handover). Named after the description.
  template <class T>
  Expected<void> add_counted(const DescriptionOf<T>& description, T& object) {
    return add({.idstr = std::string(description.name),
                .instance_id = count(description.name),
                .version = description.version,
                .description = &description,
                .object = &object,
                .counted = true});
  }
  /// Nothing when it was not added.
  void remove_counted(std::string_view idstr, const void* object);

  std::size_t size() const { return sections_.size(); }
  /// By position, 0 to size() - 1, in order of registration and so of section ids.
  const Section& operator[](std::size_t position) const { return *sections_[position]; }
  /// Of a section of this table.
  std::size_t position_of(const Section& section) const;
  const Section* find(std::string_view idstr, std::uint32_t instance_id) const;

  /// The described sections from high priority to low, within one priority in order of registration.
  std::vector<const Section*> in_order() const;

 private:
  using ByKey = std::vector<const Section*>;

  /// Of the first section whose key is not below this one.
  ByKey::const_iterator place_of(std::string_view idstr, std::uint32_t instance_id) const;
  std::uint32_t count(std::string_view idstr) const;
  void close_gap(std::string_view idstr, std::uint32_t gap);

  std::vector<std::unique_ptr<Section>> sections_;
  ByKey by_key_;  ///< sorted
  std::uint32_t next_section_id_ = 0;
};

}  // namespace vcpr::vmstate
