// A main stream as a list of records, without understanding the devices: taken apart and put together again byte for
// byte. The lengths, which the stream does not have, come from its vmdescription.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/vmstate/main_stream_reader.hpp"
#include "engine/vmstate/section_schemas.hpp"

namespace vcpr::vmstate {

/// A command, or one section (part) with its data. The footer is not kept: it repeats the section id.
struct MainRecord {
  RecordHead head;
  std::span<const std::byte> payload;  ///< of a section
  std::uint64_t payload_offset = 0;
};

/// Everything borrows from the bytes it was read from.
struct MainStreamDocument {
  std::span<const std::byte> configuration;  ///< without its type byte
  std::vector<MainRecord> records;
  bool is_ended = false;  ///< the end byte is there
  std::optional<std::string_view> description;
};

struct ParsedMainStream {
  MainStreamDocument document;
  SectionSchemas schemas;          ///< of the FULL sections
  std::uint64_t parsed_bytes = 0;  ///< from here on nothing was understood
  std::optional<Error> error;      ///< why not
};

/// Goes as far as the stream is valid. Errors as load_main_stream's, as far as they do not need registered sections;
/// bad_description for a FULL section that the vmdescription does not cover.
ParsedMainStream parse_main_stream(std::span<const std::byte> bytes);

/// The bytes of a document. A complete one gives what it was parsed from.
std::vector<std::byte> encode_main_stream(const MainStreamDocument& document);

}  // namespace vcpr::vmstate
