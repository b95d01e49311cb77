// The file that lets a sweep go on where it was interrupted: what came of each chunk that is done, as text.
#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vcpr::tool {

/// What came of one chunk of one part.
struct ChunkResult {
  std::string part;
  std::size_t chunk = 0;
  std::size_t scenarios = 0;  ///< of the whole part: another number is another sweep
  std::string lines;          ///< of the tally and of findings
};

class SweepState {
 public:
  /// Reads what is there and appends from then on; an empty path keeps nothing. `head`: the first line, which says what
  /// sweep it is of; a file of another one is an error. A chunk that was not written whole is not done.
  static std::expected<SweepState, std::string> open(const std::filesystem::path& path, const std::string& head);

  const std::vector<ChunkResult>& done() const { return done_; }
  bool is_done(std::string_view part, std::size_t chunk, std::size_t scenarios) const;
  /// Written at once. False: the file cannot be written.
  bool add(ChunkResult result);

 private:
  std::vector<ChunkResult> done_;
  std::ofstream file_;
  bool keeps_ = false;
};

}  // namespace vcpr::tool
