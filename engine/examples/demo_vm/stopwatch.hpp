// When a side of a handover entered each of its phases.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/os/kernel.hpp"

namespace vcpr::demo {

class Stopwatch {
 public:
  explicit Stopwatch(os::Kernel& kernel) : kernel_(kernel) {}
  /// Notes the time when `phase` is another than before.
  void look(std::string_view phase) {
    if (entered_.empty() || entered_.back().first != phase) entered_.emplace_back(phase, kernel_.now());
  }
  /// " checking@1234 stopping@1250": microseconds of the monotonic clock.
  std::string text() const {
    std::string text;
    for (const auto& [phase, time] : entered_) text += " " + phase + "@" + std::to_string(time / 1000);
    return text;
  }

 private:
  os::Kernel& kernel_;
  std::vector<std::pair<std::string, std::uint64_t>> entered_;
};

}  // namespace vcpr::demo
