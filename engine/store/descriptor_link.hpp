// What the kernel says a descriptor leads to.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::store {

/// The text behind /proc/self/fd/N: a path, or the kernel's word for an anonymous object, which no path can look like
/// because it does not begin with a slash.
class DescriptorLink {
 public:
  /// bad_descriptor (not open), os_error (/proc is not mounted), gone.
  static Expected<DescriptorLink> of(os::Kernel& kernel, int number);
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 256> text_;  // a path that does not fit is none of ours, and left empty
  std::size_t size_ = 0;
};

}  // namespace vcpr::store
