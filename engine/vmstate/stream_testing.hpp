// What the tests of this room share: streams written down by hand, recorded ones, and an observer that writes a list.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/vmstate/codec.hpp"

namespace vcpr::vmstate::testing {

using Bytes = std::vector<std::byte>;

/// Hexadecimal digits in pairs, 'characters' in quotes, anything else ignored: stream("05 03 'S/x' 00000001").
Bytes stream(std::string_view text);
/// The same form, hexadecimal only, for comparing in a readable way.
std::string hex(std::span<const std::byte> bytes);

template <class T>
Bytes saved(const DescriptionOf<T>& description, const T& object, const SaveOptions& options = {}) {
  wire::Outbox out;
  wire::Writer writer(out);
  auto done = save(description, object, writer, options);
  return done ? out.bytes : Bytes{};
}

/// "" on success, else Error::message.
template <class T>
std::string loaded(const DescriptionOf<T>& description, T& object, std::span<const std::byte> bytes,
                   const LoadOptions& options = {}) {
  wire::Reader in(bytes);
  auto done = load(description, description.version, object, in, options);
  if (done) done = expect_end(in);
  return done ? "" : done.error().message();
}

/// One line per field: "offset+size path role type value".
class FieldList : public Observer {
 public:
  void field(const FieldSeen& seen) override;
  const std::vector<std::string>& lines() const { return lines_; }
  /// Bytes from the beginning that the fields cover without gap or overlap.
  std::uint64_t covered() const { return covered_; }
  /// The value of the field whose path ends so; "" when there is none.
  std::string value(std::string_view path_end) const;

 private:
  std::vector<std::string> lines_;
  std::vector<std::pair<std::string, std::string>> values_;
  std::uint64_t covered_ = 0;
};

Bytes read_file(const std::filesystem::path& path);
/// The recorded main streams of corpus/captures, in order of name.
std::vector<std::filesystem::path> main_captures();

}  // namespace vcpr::vmstate::testing
