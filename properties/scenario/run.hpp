// Plays a scenario on the simulated machine and says what broke.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "properties/invariants/invariants.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

// A run is cut at these; reaching one is a violation of S1.
inline constexpr std::uint64_t kMaxCalls = 50'000;  ///< of both processes in one attempt
inline constexpr std::uint32_t kMaxRounds = 20'000;
inline constexpr std::uint64_t kMaxVirtualSeconds = 3600;  ///< events excepted

/// Receives one line per event in fixed columns: time, process, call and result.
using Line = std::function<void(std::string_view)>;

struct Outcome {
  std::optional<invariants::Violation> violation;  ///< the first; the run ends there
  std::uint64_t hash = 0;                          ///< over every call, its result, the state at the end, the endings
  std::uint64_t calls = 0;
  std::vector<std::string> endings;  ///< one per attempt: "done", or the error that ended it
};

/// Never aborts; depends on the scenario alone.
Outcome run(const Scenario& scenario, const Line* line = nullptr);

}  // namespace vcpr::scenario
