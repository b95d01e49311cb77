// Values of fields as people read them: what an Observer is told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace vcpr::vmstate {

/// Bytes shown of a buffer; the rest is counted.
inline constexpr std::size_t kShownBytes = 16;

/// "305419896 (0x12345678)", "-1"; small numbers in decimal only.
std::string integer_text(std::uint64_t value, std::size_t width, bool is_signed);
/// A decimal text that reads back as the same double.
std::string real_text(std::uint64_t bits);
/// "36 bytes 00 01 02 ..."
std::string bytes_text(std::span<const std::byte> bytes);
/// "vendor 8086 device 10c9 command 0006, 4096 bytes": a PCI config space (PCI Local Bus Specification 3.0, 6.1).
std::string pci_config_text(std::span<const std::byte> config);
/// The bytes as characters, without a final NUL.
std::string_view as_text(std::span<const std::byte> bytes);

}  // namespace vcpr::vmstate
