// The reading half of the codec: interprets a description over a stream. Use codec.hpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/vmstate/codec.hpp"

namespace vcpr::vmstate {

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

}  // namespace vcpr::vmstate
