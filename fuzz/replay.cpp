#include "fuzz/replay.hpp"

#include <ostream>

#include "fuzz/input_file.hpp"

namespace vcpr::fuzz {
namespace {

/// What is wrong with this input, or nothing.
std::string run_one(const Target& target, const std::filesystem::path& path) {
  const auto input = read_input(target, path);
  if (!input) return input.error();
  const std::uint64_t first = target.run(*input, nullptr);
  const std::uint64_t second = target.run(*input, nullptr);
  if (first != second) return path.string() + ": not deterministic: two runs of these bytes gave different hashes";
  return {};
}

}  // namespace

Replayed replay(const Target& target, std::span<const std::filesystem::path> paths, std::ostream& log) {
  Replayed result;
  const auto fail = [&](const std::string& why) {
    ++result.failures;
    log << "FAILED " << why << '\n';
  };
  for (const auto& path : paths) {
    const auto files = list_inputs(path);
    if (!files) {
      fail(files.error());
      continue;
    }
    for (const auto& file : *files) {
      log << "running " << file.string() << std::endl;  // flushed: a crash must not lose it
      ++result.files;
      if (const std::string why = run_one(target, file); !why.empty()) fail(why);
    }
  }
  if (result.files == 0) log << "FAILED no input given: a target without a seed proves nothing\n";
  return result;
}

}  // namespace vcpr::fuzz
