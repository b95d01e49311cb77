// The writing half of the codec: interprets a description over an object. Use codec.hpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/vmstate/codec.hpp"

namespace vcpr::vmstate {

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

}  // namespace vcpr::vmstate
