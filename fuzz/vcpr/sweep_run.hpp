// A sweep from its first chunk to its table, spread over child processes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "properties/sweeps/canonical.hpp"

namespace vcpr::tool {

struct SweepOptions {
  std::vector<std::string> names{};  ///< of canonical handovers, or how they begin; none: all
  std::size_t jobs = 1;
  std::size_t pairs = 0;  ///< for each canonical handover
  std::uint64_t seed = 1;
  std::filesystem::path resume{};
  std::filesystem::path out = "sweep";
};

/// Those that the names choose; empty when one of the names chooses none.
std::vector<sweeps::Canonical> chosen_canonical(const std::vector<std::string>& names);

/// Exit status of the tool.
int run_sweep(const SweepOptions& options);

}  // namespace vcpr::tool
