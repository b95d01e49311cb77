#include "engine/examples/demo_vm/console.hpp"

#include <array>
#include <span>

namespace vcpr::demo {

bool Console::fill() {
  std::array<char, 512> buffer{};
  auto count = kernel_.read(input(), std::as_writable_bytes(std::span(buffer)));
  if (!count) return count.error() == os::Errno::eagain;
  pending_.append(buffer.data(), *count);
  return *count != 0;
}

std::optional<std::string> Console::next_line() {
  const std::size_t end = pending_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = pending_.substr(0, end);
  pending_.erase(0, end + 1);
  return line;
}

void Console::say(std::string_view line) {
  std::string text(line);
  text += '\n';
  auto rest = std::as_bytes(std::span(text));
  while (!rest.empty()) {
    auto written = kernel_.write(1, rest);
    if (!written) return;
    rest = rest.subspan(*written);
  }
}

}  // namespace vcpr::demo
