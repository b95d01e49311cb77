// Where the fields of a stream are, as the engine itself reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/vmstate/observer.hpp"

namespace vcpr::streams {

using Stream = std::vector<std::byte>;

enum class StreamKind : std::uint8_t { transfer, exec, main };

std::string_view name(StreamKind kind);

/// Walks the fields of a stream of this kind as the engine reads them; returns why it stopped, if it did.
std::optional<Error> observe(std::span<const std::byte> bytes, StreamKind kind, vmstate::Observer& observer);

/// One field; its path lives in the map.
struct Field {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  vmstate::Role role{};
  std::uint32_t group = 0;  ///< index of the group it belongs to
};

/// Neighbouring fields of one list entry, section or header: what is inserted, deleted and swapped as a whole.
struct Group {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

/// The fields of the part of a stream that can be understood, in order of their offsets. Fields of size 0 are left out:
/// there is nothing to damage.
class FieldMap final : public vmstate::Observer {
 public:
  FieldMap(std::span<const std::byte> bytes, StreamKind kind);

  std::span<const Field> fields() const { return fields_; }
  std::span<const Group> groups() const { return groups_; }
  std::string_view path(std::size_t field) const;
  /// Where understanding ended: the size of the stream when nothing is left.
  std::uint64_t end() const { return end_; }
  /// Why it ended before the last byte; the same error as the reader's.
  const std::optional<Error>& stopped() const { return stopped_; }
  /// The field that the length field at this index counts: the one behind it. Nothing if there is none.
  std::optional<std::size_t> counted_by(std::size_t length_field) const;

  void field(const vmstate::FieldSeen& seen) override;

 private:
  std::vector<Field> fields_;
  std::vector<Group> groups_;
  std::string paths_;
  std::string group_name_;  ///< of the last group
  std::vector<std::uint32_t> path_ends_;
  std::uint64_t end_ = 0;
  std::optional<Error> stopped_;
};

/// The big-endian value of a field of 1, 2, 4 or 8 bytes, or its first eight.
std::uint64_t value_of(std::span<const std::byte> bytes, const Field& field);

}  // namespace vcpr::streams
