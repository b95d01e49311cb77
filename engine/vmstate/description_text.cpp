#include "engine/vmstate/description_text.hpp"

#include <algorithm>
#include <array>

#include "engine/os/error.hpp"

namespace vcpr::vmstate {

namespace {

/// What stands for itself in a string. A table, as fuzzing engines are told every comparison.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  std::fill(plain.begin() + ' ', plain.begin() + 0x7f, true);
  plain['"'] = plain['\\'] = false;
  return plain;
}();

bool is_plain(char character) {
  return kPlain[static_cast<unsigned char>(character)];
}

}  // namespace

void DescriptionText::open(char bracket) {
  if (needs_comma_) text_ += ", ";
  text_ += bracket;
  needs_comma_ = false;
}

void DescriptionText::open_named(std::string_view name, char bracket) {
  key(name);
  text_ += bracket;
  needs_comma_ = false;
}

void DescriptionText::close(char bracket) {
  text_ += bracket;
  needs_comma_ = true;
}

void DescriptionText::key(std::string_view name) {
  if (needs_comma_) text_ += ", ";
  quote(name);
  text_ += ": ";
}

void DescriptionText::quote(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text_ += '"';
  while (!value.empty()) {
    const auto plain = static_cast<std::size_t>(std::ranges::find_if_not(value, is_plain) - value.begin());
    text_ += value.substr(0, plain);
    if (plain == value.size()) break;
    const char character = value[plain];
    value.remove_prefix(plain + 1);
    auto code = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      text_ += '\\';
      text_ += character;
    } else {
      text_ += "\\u00";
      text_ += kDigits[code >> 4];
      text_ += kDigits[code & 0xf];
    }
  }
  text_ += '"';
}

void DescriptionText::string(std::string_view name, std::string_view value) {
  key(name);
  quote(value);
  needs_comma_ = true;
}

void DescriptionText::integer(std::string_view name, std::uint64_t value) {
  key(name);
  text_ += Decimal(value);
  needs_comma_ = true;
}

}  // namespace vcpr::vmstate
