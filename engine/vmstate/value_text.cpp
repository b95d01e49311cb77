#include "engine/vmstate/value_text.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "engine/os/error.hpp"
#include "engine/vmstate/host_integer.hpp"

namespace vcpr::vmstate {

namespace {

/// From here on a number is easier to recognise in hexadecimal.
constexpr std::uint64_t kShowHexFrom = 256;

void append_hex(std::string& text, std::uint64_t value, std::size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t digit = digits; digit-- > 0;) text += kDigits[value >> 4 * digit & 0xf];
}

std::size_t hex_digits(std::uint64_t value) {
  return value == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(value)) + 3) / 4;
}

}  // namespace

std::string integer_text(std::uint64_t value, std::size_t width, bool is_signed) {
  std::int64_t number = sign_extended(value, width);
  if (is_signed && number < 0) return std::string(Decimal(number));
  std::string text(Decimal{value});
  if (value < kShowHexFrom) return text;
  text += " (0x";
  append_hex(text, value, hex_digits(value));
  return text += ')';
}

std::string real_text(std::uint64_t bits) {
  constexpr int kRoundTripDigits = 17;
  char text[32];
  int size = std::snprintf(text, sizeof text, "%.*g", kRoundTripDigits, std::bit_cast<double>(bits));
  return {text, static_cast<std::size_t>(size)};
}

std::string bytes_text(std::span<const std::byte> bytes) {
  std::string text(Decimal{std::uint64_t{bytes.size()}});
  text += bytes.size() == 1 ? " byte" : " bytes";
  for (std::byte byte : bytes.first(std::min(bytes.size(), kShownBytes))) {
    text += ' ';
    append_hex(text, std::to_integer<std::uint64_t>(byte), 2);
  }
  if (bytes.size() > kShownBytes) text += " ...";
  return text;
}

std::string pci_config_text(std::span<const std::byte> config) {
  constexpr std::size_t kHeaderBytes = 64;
  if (config.size() < kHeaderBytes) return bytes_text(config);
  auto word = [config](std::size_t at) {
    return std::to_integer<std::uint64_t>(config[at]) | std::to_integer<std::uint64_t>(config[at + 1]) << 8;
  };
  std::string text = "vendor ";
  append_hex(text, word(0), 4);
  append_hex(text += " device ", word(2), 4);
  append_hex(text += " command ", word(4), 4);
  append_hex(text += " status ", word(6), 4);
  text += ", ";
  text += Decimal{std::uint64_t{config.size()}};
  return text += " bytes";
}

std::string_view as_text(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.ends_with('\0')) text.remove_suffix(1);
  return text;
}

}  // namespace vcpr::vmstate
