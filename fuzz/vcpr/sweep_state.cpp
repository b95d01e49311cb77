#include "fuzz/vcpr/sweep_state.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "properties/forms/words.hpp"

namespace vcpr::tool {

namespace {

constexpr std::string_view kEnd = "end";

std::string text(const ChunkResult& result) {
  return "chunk " + result.part + ' ' + std::to_string(result.chunk) + " of " + std::to_string(result.scenarios) +
         '\n' + result.lines + std::string(kEnd) + '\n';
}

bool parse_head(std::string_view line, ChunkResult& result) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  forms::Words words(line);
  words.expect("chunk");
  result.part = words.word();
  words.number(result.chunk, 0, kMost);
  words.expect("of");
  words.number(result.scenarios, 0, kMost);
  return !words.failed() && words.at_end();
}

/// Every chunk that ends.
std::vector<ChunkResult> parse(std::istream& in) {
  std::vector<ChunkResult> all;
  ChunkResult result;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (ChunkResult next; parse_head(line, next)) {
      result = std::move(next);
      inside = true;
    } else if (inside && line == kEnd) {
      all.push_back(std::exchange(result, {}));
      inside = false;
    } else if (inside) {
      result.lines += line + '\n';
    }
  }
  return all;
}

}  // namespace

std::expected<SweepState, std::string> SweepState::open(const std::filesystem::path& path, const std::string& head) {
  SweepState state;
  if (path.empty()) return state;
  state.keeps_ = true;
  if (std::ifstream before(path); before) {
    std::string line;
    std::getline(before, line);
    if (line != head)
      return std::unexpected(path.string() + " is of another sweep: \"" + line + "\", not \"" + head + "\"");
    state.done_ = parse(before);
  }
  // Written anew, so that a chunk that was cut off does not stay in it
  const std::filesystem::path next = path.string() + ".new";
  state.file_.open(next, std::ios::trunc);
  state.file_ << head << '\n';
  for (const ChunkResult& each : state.done_) state.file_ << text(each);
  state.file_.flush();
  std::error_code error;
  std::filesystem::rename(next, path, error);
  if (!state.file_ || error) return std::unexpected(path.string() + " cannot be written");
  return state;
}

bool SweepState::is_done(std::string_view part, std::size_t chunk, std::size_t scenarios) const {
  return std::ranges::any_of(done_, [&](const ChunkResult& each) {
    return each.part == part && each.chunk == chunk && each.scenarios == scenarios;
  });
}

bool SweepState::add(ChunkResult result) {
  if (keeps_) (file_ << text(result)).flush();
  done_.push_back(std::move(result));
  return !keeps_ || file_.good();
}

}  // namespace vcpr::tool
