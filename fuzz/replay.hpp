// Runs a target on files: what the replay main does, and what makes every seed and regression a test.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <span>

#include "fuzz/target.hpp"

namespace vcpr::fuzz {

/// What came of a replay. A crash does not come back: the file being run is the last line of the log.
struct Replayed {
  std::size_t files = 0;
  std::size_t failures = 0;
  bool good() const { return files != 0 && failures == 0; }
};

/// Runs every input below `paths` twice, in order, and once more in an order that has nothing to do with that.
/// Unreadable or unparsable inputs, a hash that differs between the runs (what one input leaves behind changes
/// another), and no input at all are failures.
Replayed replay(const Target& target, std::span<const std::filesystem::path> paths, std::ostream& log);

}  // namespace vcpr::fuzz
