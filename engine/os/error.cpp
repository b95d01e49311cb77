#include "engine/os/error.hpp"

#include <charconv>

namespace vcpr {

namespace {

/// Names come from streams; longer ones are cut so that a message stays one line.
constexpr std::size_t kQuotedBytes = 64;

/// In order of the enumeration.
constexpr std::string_view kNames[] = {
    "truncated",        "trailing_bytes",     "too_long",           "bad_magic",
    "bad_version",      "bad_length",         "bad_text",           "bad_value",
    "bad_marker",       "unknown_subsection", "missing_subsection", "duplicate_subsection",
    "unknown_section",  "missing_section",    "duplicate_section",  "bad_footer",
    "bad_command",      "bad_description",    "bad_service_byte",   "missing_descriptor",
    "extra_descriptor", "lost_descriptor",    "bad_descriptor",     "wrong_kind",
    "duplicate_key",    "missing_key",        "key_in_use",         "different_descriptor",
    "same_descriptor",  "unclaimed",          "timed_out",          "peer_closed",
    "bad_environment",  "bad_state",          "os_error",           "gone"};
static_assert(std::size(kNames) == static_cast<std::size_t>(ErrorCode::gone) + 1);

std::string join(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (std::string_view part : parts) size += part.size();
  std::string text;
  text.reserve(size);
  for (std::string_view part : parts) text += part;
  return text;
}

}  // namespace

std::string_view name(ErrorCode code) {
  auto index = static_cast<std::size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

std::string Error::message() const {
  std::string line(name(code));
  if (offset) line.append(" at byte ").append(Decimal(*offset));
  if (!text.empty()) line.append(": ").append(text);
  if (os != os::Errno::none) line.append(" (").append(os::name(os)).append(")");
  return line;
}

std::unexpected<Error> refuse(ErrorCode code, std::initializer_list<std::string_view> parts) {
  return std::unexpected(Error{.code = code, .text = join(parts), .offset = {}});
}

std::unexpected<Error> refuse_at(ErrorCode code, std::uint64_t offset, std::initializer_list<std::string_view> parts) {
  return std::unexpected(Error{.code = code, .text = join(parts), .offset = offset});
}

std::unexpected<Error> refuse_os(os::Errno error, std::initializer_list<std::string_view> call) {
  ErrorCode code = error == os::Errno::gone ? ErrorCode::gone : ErrorCode::os_error;
  return std::unexpected(Error{.code = code, .text = join(call), .offset = {}, .os = error});
}

Decimal::Decimal(std::uint64_t value) {
  size_ = static_cast<std::uint8_t>(std::to_chars(text_, text_ + sizeof text_, value).ptr - text_);
}

Decimal::Decimal(std::int64_t value) {
  size_ = static_cast<std::uint8_t>(std::to_chars(text_, text_ + sizeof text_, value).ptr - text_);
}

std::string quoted(std::string_view name) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text = "\"";
  for (char c : name.substr(0, kQuotedBytes)) {
    auto byte = static_cast<unsigned char>(c);
    bool plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
    if (plain) {
      text += c;
    } else {
      text += "\\x";
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    }
  }
  text += name.size() > kQuotedBytes ? "\"..." : "\"";
  return text;
}

}  // namespace vcpr
