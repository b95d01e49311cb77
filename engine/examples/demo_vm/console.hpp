// Lines in, lines out: standard input and output of the demo.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/os/kernel.hpp"

namespace vcpr::demo {

class Console {
 public:
  explicit Console(os::Kernel& kernel) : kernel_(kernel) {}

  /// Takes what has arrived; false at the end of input.
  bool fill();
  std::optional<std::string> next_line();
  /// `line` without its end.
  void say(std::string_view line);
  static constexpr int input() { return 0; }

 private:
  os::Kernel& kernel_;
  std::string pending_;
};

}  // namespace vcpr::demo
