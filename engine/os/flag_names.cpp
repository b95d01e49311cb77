#include "engine/os/flag_names.hpp"

#include <charconv>

#include "engine/os/error.hpp"

namespace vcpr::os {

namespace {

/// A value in some bits, flags in the others.
std::string mixed_text(std::span<const FlagName> values, std::span<const FlagName> flags, std::int64_t value_bits,
                       std::int64_t all) {
  std::string text = value_text(values, all & value_bits);
  if (std::int64_t rest = all & ~value_bits; rest != 0) text += "|" + flags_text(flags, rest);
  return text;
}

}  // namespace

std::string hexadecimal(std::uint64_t value) {
  char digits[16];
  return "0x" + std::string(digits, std::to_chars(digits, digits + sizeof digits, value, 16).ptr);
}

std::string flags_text(std::span<const FlagName> names, std::int64_t flags) {
  std::string text;
  for (const FlagName& flag : names) {
    if ((flags & flag.value) == 0) continue;
    if (!text.empty()) text += '|';
    text += flag.name;
    flags &= ~flag.value;
  }
  if (flags == 0) return text.empty() ? "0" : text;
  return (text.empty() ? text : text + "|") + hexadecimal(static_cast<std::uint64_t>(flags));
}

std::string value_text(std::span<const FlagName> names, std::int64_t value) {
  for (const FlagName& known : names) {
    if (known.value == value) return std::string(known.name);
  }
  return std::string(Decimal(value));
}

std::string open_flags_text(int flags) {
  return mixed_text(kAccessModes, kOpenFlags, abi::o_accmode, flags);
}

std::string socket_type_text(int type) {
  constexpr std::int64_t kTypeBits = 0xf;  // include/linux/net.h, SOCK_TYPE_MASK
  return mixed_text(kSocketTypes, kSocketFlags, kTypeBits, type);
}

std::string fcntl_argument_text(int command, std::int64_t argument) {
  switch (command) {
    case abi::f_setfd:
      return flags_text(kDescriptorFlags, argument);
    case abi::f_setfl:
      return open_flags_text(static_cast<int>(argument));
    case abi::f_add_seals:
      return flags_text(kSeals, argument);
    default:
      return std::string(Decimal(argument));
  }
}

}  // namespace vcpr::os
