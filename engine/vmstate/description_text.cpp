#include "engine/vmstate/description_text.hpp"

#include "engine/os/error.hpp"

namespace vcpr::vmstate {

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
  for (char character : value) {
    auto code = static_cast<unsigned char>(character);
    if (code >= ' ' && code < 0x7f) {
      if (character == '"' || character == '\\') text_ += '\\';
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
