// The main stream of a migration: everything of a VM but its descriptors and, in CPR, its memory. Layout in FORMAT.md.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/vmstate/main_stream_format.hpp"
#include "engine/vmstate/section_table.hpp"
#include "engine/vmstate/sections/configuration.hpp"
#include "engine/wire/reader.hpp"
#include "engine/wire/writer.hpp"

namespace vcpr::vmstate {

struct MainSaveOptions {
  bool open_return_path = false;   ///< OPEN_RETURN_PATH and PING 1, for the capability return-path
  bool switchover_start = true;    ///< machine types of QEMU 10.0 and later
  bool describe = true;            ///< append the vmdescription
  std::uint32_t page_size = 4096;  ///< as the vmdescription says it, in bytes
};

/// Writes the whole stream: header, configuration, START of the iterable sections, their END, the described ones from
/// high priority to low, end, vmdescription. Errors are those of `save`, the section's name in front.
Expected<void> save_main_stream(const Configuration& configuration, const SectionTable& sections,
                                const MainSaveOptions& options, wire::Writer& out);

/// What a stream said besides its sections.
struct MainStreamFacts {
  Configuration configuration;
  bool opens_return_path = false;
  std::vector<std::uint32_t> pings;  ///< to be answered on the return path
  bool has_switchover_start = false;
  bool is_described = false;
};

/// Loads a whole stream into the registered objects, or refuses it with the offset of what is wrong. Strict where QEMU
/// is not: every registered section must arrive exactly once, the vmdescription (which may be absent) must agree with
/// the bytes, nothing may follow it. Objects loaded before a refusal keep what they were given: register fresh ones.
///
/// bad_magic, bad_version, bad_value (configuration differs from `ours`), unknown_section, duplicate_section,
/// missing_section, bad_footer, bad_command (malformed, or of postcopy or COLO), bad_description, trailing_bytes,
/// truncated, too_long, and what the sections' own descriptions refuse.
Expected<MainStreamFacts> load_main_stream(const Configuration& ours, const SectionTable& sections, wire::Reader& in);

}  // namespace vcpr::vmstate
