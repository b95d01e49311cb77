// The parts of a main stream that are the same for whoever reads it: a load, a document, a dissection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/vmstate/main_stream_format.hpp"
#include "engine/vmstate/sections/configuration.hpp"
#include "engine/wire/reader.hpp"

namespace vcpr::vmstate {

inline constexpr std::uint64_t kMainHeaderBytes = 8;

/// bad_magic, bad_version, truncated.
Expected<void> read_main_header(wire::Reader& in);
/// The configuration section, with its type byte. It must come first.
Expected<void> read_configuration(wire::Reader& in, Configuration& configuration);

/// What stands before the data of a section; a whole command.
struct RecordHead {
  SectionType type{};
  std::uint64_t offset = 0;      ///< of the type byte
  std::uint32_t section_id = 0;  ///< START, PART, END, FULL
  std::string_view idstr;        ///< START, FULL; as are the next two
  std::uint32_t instance_id = 0;
  std::uint32_t version = 0;
  Command command{};                ///< COMMAND
  std::span<const std::byte> data;  ///< of the command
  std::uint32_t ping = 0;

  bool is_section() const {
    return type == SectionType::start || type == SectionType::part || type == SectionType::last_part ||
           type == SectionType::full;
  }
  bool is_named() const { return type == SectionType::start || type == SectionType::full; }
  /// "\"ram\" instance 0"
  std::string text() const;
};

/// unknown_section for a byte that opens no section; bad_command for an unknown command or a length that is not its
/// own; bad_text for an empty idstr; truncated.
Expected<RecordHead> read_record_head(wire::Reader& in);
/// bad_footer unless the footer of that section stands here.
Expected<void> read_footer(wire::Reader& in, const RecordHead& head);
/// The vmdescription section with its type byte: trailing_bytes (another type byte), too_long (kMaxJsonBytes),
/// truncated.
Expected<std::string_view> read_description_text(wire::Reader& in);

}  // namespace vcpr::vmstate
