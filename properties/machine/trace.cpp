#include <string>

#include "properties/machine/machine.hpp"

namespace vcpr::machine {

namespace {

/// Small and negative numbers in decimal, as descriptors and results; the rest in hexadecimal, as digests and
/// addresses.
std::string number(std::uint64_t value) {
  constexpr std::uint64_t kSmall = 1 << 20;
  if (value < kSmall || value > ~kSmall) return std::to_string(static_cast<std::int64_t>(value));
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (; value != 0; value >>= 4) text.insert(text.begin(), digits[value & 0xf]);
  return "0x" + text;
}

}  // namespace

std::string format(const CallRecord& record) {
  std::string line = "#" + number(record.site.number) + " P" + number(record.pid);
  if (record.image != 0) line += "." + number(record.image);
  line += " ";
  line += name(record.site.call);
  std::string_view separator = "(";
  if (!record.text.empty()) {
    line += "(\"";
    line += record.text;
    line += "\"";
    separator = ", ";
  }
  for (const std::uint64_t argument : record.arguments) {
    line += separator;
    line += number(argument);
    separator = ", ";
  }
  if (separator == "(") line += "(";
  line += ") = ";
  line += record.error == os::Errno::none ? number(record.value) : std::string(os::name(record.error));
  if (record.fired == FaultPoint::none) return line;
  line += " {";
  line += name(record.fired);
  return line + "}";
}

}  // namespace vcpr::machine
