// The constants of a main migration stream (QEMU's migration/savevm.c and migration/qemu-file-types.h). The layout is
// in FORMAT.md, "Main stream".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vcpr::vmstate {

inline constexpr std::uint32_t kMainMagic = 0x5145564d;  ///< "QEVM"
inline constexpr std::uint32_t kMainVersion = 3;

/// Sections and commands in one stream; a q35 machine with two devices has 42.
inline constexpr std::size_t kMaxRecords = 1u << 16;

/// The byte that opens each part of the stream after the header.
enum class SectionType : std::uint8_t {
  end = 0x00,
  start = 0x01,
  part = 0x02,
  last_part = 0x03,  ///< QEMU's END
  full = 0x04,
  subsection = 0x05,
  description = 0x06,
  configuration = 0x07,
  command = 0x08,
  footer = 0x7e,
};

/// "FULL", as the format page calls it; empty for a byte that opens nothing.
std::string_view name(SectionType type);

enum class Command : std::uint16_t {
  open_return_path = 1,
  ping = 2,
  postcopy_advise = 3,
  postcopy_listen = 4,
  postcopy_run = 5,
  postcopy_ram_discard = 6,
  packaged = 7,
  enable_colo = 8,
  postcopy_resume = 9,
  recv_bitmap = 10,
  switchover_start = 11,
};

/// "SWITCHOVER_START"; empty for a number that is no command.
std::string_view name(Command command);
/// The bytes that must follow a command; nothing when they may be any number.
std::optional<std::uint16_t> fixed_length(Command command);

}  // namespace vcpr::vmstate
