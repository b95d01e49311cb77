#include "engine/os/error.hpp"

#include <charconv>

namespace vcpr {

namespace {

/// Names come from streams; longer ones are cut so that a message stays one line.
constexpr std::size_t kQuotedBytes = 64;

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
  switch (code) {
    case ErrorCode::truncated:
      return "truncated";
    case ErrorCode::trailing_bytes:
      return "trailing_bytes";
    case ErrorCode::too_long:
      return "too_long";
    case ErrorCode::bad_magic:
      return "bad_magic";
    case ErrorCode::bad_version:
      return "bad_version";
    case ErrorCode::bad_length:
      return "bad_length";
    case ErrorCode::bad_text:
      return "bad_text";
    case ErrorCode::bad_value:
      return "bad_value";
    case ErrorCode::bad_marker:
      return "bad_marker";
    case ErrorCode::unknown_subsection:
      return "unknown_subsection";
    case ErrorCode::missing_subsection:
      return "missing_subsection";
    case ErrorCode::duplicate_subsection:
      return "duplicate_subsection";
    case ErrorCode::unknown_section:
      return "unknown_section";
    case ErrorCode::missing_section:
      return "missing_section";
    case ErrorCode::duplicate_section:
      return "duplicate_section";
    case ErrorCode::bad_footer:
      return "bad_footer";
    case ErrorCode::bad_command:
      return "bad_command";
    case ErrorCode::bad_description:
      return "bad_description";
    case ErrorCode::bad_service_byte:
      return "bad_service_byte";
    case ErrorCode::missing_descriptor:
      return "missing_descriptor";
    case ErrorCode::extra_descriptor:
      return "extra_descriptor";
    case ErrorCode::lost_descriptor:
      return "lost_descriptor";
    case ErrorCode::bad_descriptor:
      return "bad_descriptor";
    case ErrorCode::wrong_kind:
      return "wrong_kind";
    case ErrorCode::duplicate_key:
      return "duplicate_key";
    case ErrorCode::missing_key:
      return "missing_key";
    case ErrorCode::key_in_use:
      return "key_in_use";
    case ErrorCode::different_descriptor:
      return "different_descriptor";
    case ErrorCode::same_descriptor:
      return "same_descriptor";
    case ErrorCode::unclaimed:
      return "unclaimed";
    case ErrorCode::timed_out:
      return "timed_out";
    case ErrorCode::peer_closed:
      return "peer_closed";
    case ErrorCode::bad_environment:
      return "bad_environment";
    case ErrorCode::bad_state:
      return "bad_state";
    case ErrorCode::os_error:
      return "os_error";
    case ErrorCode::gone:
      return "gone";
  }
  return "unknown";
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
