// What a sweep is made of: one canonical handover with everything that it is disturbed by, and what a child does with
// some of that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "properties/forked/children.hpp"
#include "properties/sweeps/disturbance.hpp"
#include "properties/sweeps/sweep.hpp"

namespace vcpr::tool {

/// Scenarios that a child takes at once: what an interruption costs at most.
inline constexpr std::size_t kChunk = 256;

/// One canonical handover; its scenarios are numbered from 0, the undisturbed one.
struct SweepPart {
  sweeps::Canonical canonical;
  std::vector<machine::FaultSet> calls{};  ///< undisturbed; none: it crashes
  std::size_t pairs = 0;
  std::uint64_t seed = 0;
  std::size_t scenarios = 0;

  std::size_t chunks() const { return (scenarios + kChunk - 1) / kChunk; }
};

/// Plays it undisturbed, alone, to see its calls.
SweepPart prepare(sweeps::Canonical canonical, std::size_t pairs, std::uint64_t seed);
/// All of a part, in order of their numbers.
std::vector<vm_scenario::Scenario> scenarios(const SweepPart& part);

/// In place of an invariant's name: the child died.
inline constexpr std::string_view kCrash = "crash";

/// A finding as a child reports it.
struct SweepFinding {
  std::size_t scenario = 0;  ///< its number
  std::string invariant;     ///< name of the function, or kCrash
  std::string numbers;       ///< "I24"
  std::string place;
  std::string what;  ///< wanted and found
};
std::string text(const SweepFinding& finding);  ///< one line
std::optional<SweepFinding> parse_finding(std::string_view line);
/// Of a child that died.
SweepFinding crash(std::size_t scenario, int signal);

/// In a child: tries a chunk out but for `left_out`, and returns the tally's lines and those of findings, one for each
/// (invariant, place).
std::string try_chunk(const std::vector<vm_scenario::Scenario>& all, std::size_t chunk,
                      const std::set<std::size_t>& left_out, forked::Progress& progress);

/// Name of the invariant that a scenario breaks, kCrash, or empty; played alone.
std::string verdict(const vm_scenario::Scenario& scenario);
/// The fuzz target whose input it is; empty: none.
std::string_view target_of(const vm_scenario::Scenario& scenario);

}  // namespace vcpr::tool
