#include "properties/streams/field_map.hpp"

#include "engine/handover/cpr_state.hpp"
#include "engine/vmstate/dissect.hpp"

namespace vcpr::streams {

namespace {

/// Length of "fds[3]" in "fds[3].name", of "devices[1]" in "devices[1]/ram.version", of all of "magic".
std::size_t group_length(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == ']') return i + 1;
    if (path[i] == '.') return i;
  }
  return path.size();
}

}  // namespace

std::string_view name(StreamKind kind) {
  switch (kind) {
    case StreamKind::transfer:
      return "transfer";
    case StreamKind::exec:
      return "exec";
    case StreamKind::main:
      return "main";
  }
  return "?";
}

std::optional<Error> observe(std::span<const std::byte> bytes, StreamKind kind, vmstate::Observer& observer) {
  switch (kind) {
    case StreamKind::transfer:
      return handover::observe_cpr_state(bytes, handover::Encoding::transfer, observer);
    case StreamKind::exec:
      return handover::observe_cpr_state(bytes, handover::Encoding::exec, observer);
    case StreamKind::main:
      return vmstate::dissect_main_stream(bytes, observer).error;
  }
  return std::nullopt;
}

/// Of a CPR state, so that its map grows once.
static constexpr std::size_t kTypicalFieldBytes = 4;

FieldMap::FieldMap(std::span<const std::byte> bytes, StreamKind kind) {
  fields_.reserve(bytes.size() / kTypicalFieldBytes);
  path_ends_.reserve(bytes.size() / kTypicalFieldBytes);
  paths_.reserve(bytes.size() * 2);
  stopped_ = streams::observe(bytes, kind, *this);
  end_ = fields_.empty() ? 0 : fields_.back().offset + fields_.back().size;
}

std::string_view FieldMap::path(std::size_t field) const {
  std::uint32_t begin = field == 0 ? 0 : path_ends_[field - 1];
  return std::string_view(paths_).substr(begin, path_ends_[field] - begin);
}

std::optional<std::size_t> FieldMap::counted_by(std::size_t length_field) const {
  if (fields_[length_field].role != vmstate::Role::length || length_field + 1 == fields_.size()) return std::nullopt;
  vmstate::Role role = fields_[length_field + 1].role;
  bool counted = role == vmstate::Role::text || role == vmstate::Role::buffer || role == vmstate::Role::description;
  return counted ? std::optional(length_field + 1) : std::nullopt;
}

void FieldMap::field(const vmstate::FieldSeen& seen) {
  if (seen.size == 0) return;
  auto offset = static_cast<std::uint32_t>(seen.offset);
  auto size = static_cast<std::uint32_t>(seen.size);
  bool continues = !fields_.empty() && seen.path.size() >= group_name_.size() &&
                   seen.path.substr(0, group_name_.size()) == group_name_ &&
                   group_length(seen.path) == group_name_.size();
  if (!continues) {
    groups_.push_back({offset, 0});
    group_name_ = seen.path.substr(0, group_length(seen.path));
  }
  groups_.back().size = offset + size - groups_.back().offset;
  fields_.push_back({offset, size, seen.role, static_cast<std::uint32_t>(groups_.size() - 1)});
  paths_ += seen.path;
  path_ends_.push_back(static_cast<std::uint32_t>(paths_.size()));
}

std::uint64_t value_of(std::span<const std::byte> bytes, const Field& field) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < field.size && i < 8; ++i) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[field.offset + i]);
  }
  return value;
}

}  // namespace vcpr::streams
