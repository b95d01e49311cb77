// The error value of everything above the syscall layer: which rule was broken, where, and why.
#pragma once

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "engine/os/errno.hpp"

namespace vcpr {

/// Every refusal has a name. The names are stable: tests, tools and corpora refer to them.
enum class ErrorCode : std::uint8_t {
  // The bytes of a stream
  truncated,             ///< the stream ends inside a field
  trailing_bytes,        ///< bytes follow the last field
  too_long,              ///< the stream, or something it asks for, exceeds a named limit
  bad_magic,             ///< first word is not that of this kind of stream
  bad_version,           ///< a version newer or older than the reader knows
  bad_length,            ///< a length that cannot be: zero, or beyond its limit
  bad_text,              ///< a name without its final NUL, with one inside, or empty
  bad_value,             ///< a value the field's rule forbids
  bad_marker,            ///< a list or pointer marker that no writer sends
  unknown_subsection,    ///< prefix of this state, but no such subsection
  missing_subsection,    ///< a subsection that the reader insists on
  duplicate_subsection,  ///< the same subsection twice
  // Sections of a main stream
  unknown_section,
  missing_section,
  duplicate_section,
  bad_footer,
  bad_command,
  bad_description,  ///< the vmdescription is not JSON, or disagrees with the bytes
  // Descriptors
  bad_service_byte,    ///< the byte that carries a descriptor is not 0x20
  missing_descriptor,  ///< no descriptor came with, or before, its byte
  extra_descriptor,    ///< a descriptor no byte asked for
  lost_descriptor,     ///< the kernel could not install one (MSG_CTRUNC)
  bad_descriptor,      ///< a number that is not an open descriptor
  wrong_kind,          ///< an eventfd was wanted and a socket came
  // The table and the device records
  duplicate_key,
  missing_key,
  key_in_use,            ///< claimed twice, or removed while claimed
  different_descriptor,  ///< saved again under its key with another number
  same_descriptor,       ///< one number under two keys that may not share
  unclaimed,             ///< nobody wanted an entry that is not optional
  // The handover
  timed_out,
  peer_closed,
  bad_environment,  ///< QEMU_CPR_EXEC_STATE is not the number of our memfd
  bad_state,        ///< called in a phase that forbids it
  os_error,         ///< a syscall failed; `os` says how
  gone,             ///< this process image is dead
};

/// "duplicate_key", as in the enumeration.
std::string_view name(ErrorCode code);

/// What was being done, to which object, where and why it was refused. Small enough to return by value.
struct Error {
  ErrorCode code{};
  std::string text;                     ///< "entry \"ram0\" id 0: saved twice": without code and offset
  std::optional<std::uint64_t> offset;  ///< byte of the stream where the offending field begins
  os::Errno os = os::Errno::none;       ///< the errno behind os_error and its like

  /// One line, no newline: "duplicate_key at byte 53: entry "ram0" id 0 ... (EBADF)".
  std::string message() const;
};

template <class T>
using Expected = std::expected<T, Error>;

/// Makes an unexpected value; `parts` are joined without separators.
std::unexpected<Error> refuse(ErrorCode code, std::initializer_list<std::string_view> parts);
std::unexpected<Error> refuse_at(ErrorCode code, std::uint64_t offset, std::initializer_list<std::string_view> parts);
/// A failed call: code os_error, or gone when the image is dead. `call` as in "sendmsg to the CPR socket".
std::unexpected<Error> refuse_os(os::Errno error, std::initializer_list<std::string_view> call);

/// Decimal text of a number, for the parts above; lives in the object.
class Decimal {
 public:
  explicit Decimal(std::uint64_t value);
  explicit Decimal(std::int64_t value);
  explicit Decimal(std::int32_t value) : Decimal(static_cast<std::int64_t>(value)) {}
  explicit Decimal(std::uint32_t value) : Decimal(static_cast<std::uint64_t>(value)) {}
  operator std::string_view() const { return {text_, size_}; }  // NOLINT(google-explicit-constructor): it is text

 private:
  char text_[20];
  std::uint8_t size_ = 0;
};

/// The name in quotes, with quotes, backslashes and every byte outside printable ASCII as \xNN; cut after 64 bytes of
/// the name, then `"..."` ends with dots outside the quotes.
std::string quoted(std::string_view name);

}  // namespace vcpr
