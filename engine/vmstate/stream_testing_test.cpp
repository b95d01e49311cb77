#include "engine/vmstate/stream_testing.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "source_dir.hpp"

namespace vcpr::vmstate::testing {

namespace {

int digit(char character) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  auto at = kDigits.find(character);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

Bytes stream(std::string_view text) {
  Bytes bytes;
  int high = -1;
  bool in_quotes = false;
  for (char character : text) {
    if (character == '\'') {
      in_quotes = !in_quotes;
    } else if (in_quotes) {
      bytes.push_back(static_cast<std::byte>(character));
    } else if (int low = digit(character); low >= 0) {
      if (high >= 0) bytes.push_back(static_cast<std::byte>(high << 4 | low));
      high = high >= 0 ? -1 : low;
    }
  }
  return bytes;
}

std::string hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::byte byte : bytes) {
    text += kDigits[std::to_integer<std::size_t>(byte) >> 4];
    text += kDigits[std::to_integer<std::size_t>(byte) & 0xf];
  }
  return text;
}

void FieldList::field(const FieldSeen& seen) {
  std::string line(Decimal{seen.offset});
  for (std::string_view part :
       {std::string_view("+"), std::string_view(Decimal{seen.size}), std::string_view(" "), seen.path,
        std::string_view(" "), name(seen.role), std::string_view(" "), seen.type, std::string_view(" "), seen.value}) {
    line += part;
  }
  lines_.push_back(line);
  values_.emplace_back(seen.path, seen.value);
  if (seen.offset == covered_) covered_ += seen.size;
}

std::string FieldList::value(std::string_view path_end) const {
  auto found = std::ranges::find_if(values_, [path_end](const auto& each) { return each.first.ends_with(path_end); });
  return found != values_.end() ? found->second : "";
}

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::filesystem::path> main_captures() {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(VCPR_SOURCE_DIR "/corpus/captures")) {
    if (entry.path().string().ends_with(".main.bin")) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace vcpr::vmstate::testing
