// Counts what is allocated by new: how much memory an input could make the engine take.
#pragma once

#include <cstddef>

namespace vcpr::bad_input {

/// Measures from its construction on; one at a time.
class Allocations {
 public:
  Allocations();
  /// The most bytes held at once since then, beyond those held at the beginning.
  std::size_t peak() const;

 private:
  std::size_t before_;
};

}  // namespace vcpr::bad_input
