// Walks the bytes of one section by its schema, field by field.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/vmstate/observer.hpp"
#include "engine/vmstate/vmdescription.hpp"

namespace vcpr::vmstate {

class SchemaWalk {
 public:
  /// `section` are the bytes of one section, exactly as many as its schema says; the first stands at `offset` of the
  /// stream. `prefix` begins every path. Visits `budget` entries at most.
  SchemaWalk(std::span<const std::byte> section, std::uint64_t offset, std::string_view prefix, std::uint64_t budget,
             Observer& observer)
      : section_(section), offset_(offset), path_(prefix), left_(budget), observer_(observer) {}

  void state(const StateSchema& schema);
  /// Bytes reported so far, without gaps; what is left of the budget.
  std::uint64_t reported_bytes() const { return at_; }
  std::uint64_t left() const { return left_; }

 private:
  bool spend();
  void field(const FieldSchema& schema);
  void array(const FieldSchema& schema);
  void element_at(std::uint64_t index, const FieldSchema& schema);
  void element(const FieldSchema& schema);
  void list(const FieldSchema& schema);
  void subsection(const StateSchema& schema);
  void report_part(std::string_view name, std::uint64_t size, Role role, std::string_view type);
  void report(std::uint64_t size, Role role, std::string_view type, std::string_view value);
  std::span<const std::byte> ahead(std::uint64_t size) const { return section_.subspan(at_, size); }

  std::span<const std::byte> section_;
  std::uint64_t at_ = 0;
  std::uint64_t offset_;
  std::string path_;
  std::uint64_t left_;
  Observer& observer_;
};

}  // namespace vcpr::vmstate
