#include "fuzz/replay.hpp"

#include <algorithm>
#include <ostream>
#include <utility>
#include <vector>

#include "fuzz/input_file.hpp"

namespace vcpr::fuzz {
namespace {

/// An input that was run, and the hash that it gave.
struct Known {
  std::uint64_t hash = 0;
  std::filesystem::path path;
  Bytes input;
};

/// What is wrong with this input, or nothing: then it is known.
std::string run_one(const Target& target, const std::filesystem::path& path, std::vector<Known>& known) {
  auto input = read_input(target, path);
  if (!input) return input.error();
  const std::uint64_t first = target.run(*input, nullptr).hash;
  const std::uint64_t second = target.run(*input, nullptr).hash;
  if (first != second) return path.string() + ": not deterministic: two runs of these bytes gave different hashes";
  known.push_back({first, path, std::move(*input)});
  return {};
}

}  // namespace

Replayed replay(const Target& target, std::span<const std::filesystem::path> paths, std::ostream& log) {
  Replayed result;
  const auto fail = [&](const std::string& why) {
    ++result.failures;
    log << "FAILED " << why << '\n';
  };
  std::vector<Known> known;
  for (const auto& path : paths) {
    const auto files = list_inputs(path);
    if (!files) {
      fail(files.error());
      continue;
    }
    for (const auto& file : *files) {
      log << "running " << file.string() << std::endl;  // flushed: a crash must not lose it
      ++result.files;
      if (const std::string why = run_one(target, file, known); !why.empty()) fail(why);
    }
  }
  std::ranges::sort(known, {}, &Known::hash);
  for (const Known& each : known) {
    if (target.run(each.input, nullptr).hash != each.hash)
      fail(each.path.string() + ": not deterministic: after other inputs these bytes gave another hash");
  }
  if (result.files == 0) log << "FAILED no input given: a target without a seed proves nothing\n";
  return result;
}

}  // namespace vcpr::fuzz
