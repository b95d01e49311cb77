// Plays a scenario: boots the VM, does what the steps say, hands over, and after each attempt asks every invariant.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "properties/invariants/invariants.hpp"
#include "properties/machine/fault.hpp"
#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

/// How an attempt ended.
enum class Ending : std::uint8_t {
  given,  ///< the new process has the VM
  kept,   ///< the old one still has it
  lost,   ///< who had it was killed
};
std::string_view name(Ending ending);

/// One pinned step that happened: what both sides were doing then, and how the attempt ended.
struct Seen {
  static constexpr std::uint8_t kNoSource = 12;  ///< one more than the last handover::Phase
  static constexpr std::uint8_t kNoTarget = 9;   ///< one more than the last handover::TargetStep
  std::uint8_t source_phase = kNoSource;
  std::uint8_t target_step = kNoTarget;
  Action action{};
  Ending ending{};
};

struct Outcome {
  std::optional<invariants::Violation> violation;  ///< the first
  std::vector<Ending> endings;                     ///< of each attempt
  std::vector<std::string> errors;                 ///< why attempts failed, in order
  std::vector<Seen> seen;
  /// Of each attempt, the calls of old and new, in order: the fault points that each came by. What `at` counts.
  std::vector<std::vector<machine::FaultSet>> calls;
  std::uint64_t hash = 0;  ///< over every call and the state at the end
};

/// Gets a line per step, call and ending when somebody wants the story.
using Explain = std::function<void(std::string_view)>;

/// Ends with the first violation, or when nobody has the VM any more.
Outcome run(const Scenario& scenario, const Explain* explain = nullptr);

}  // namespace vcpr::vm_scenario
