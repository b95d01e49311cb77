// Runs one scenario of a sweep, says what went wrong, and makes it smaller.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "properties/sweeps/tally.hpp"

namespace vcpr::sweeps {

/// A scenario that broke a promise.
struct Finding {
  invariants::Violation violation;
  std::string place;  ///< of both sides when the last event happened, see place(); "undisturbed" when none did
};

/// Plays it, counts what was seen.
std::optional<Finding> try_out(const vm_scenario::Scenario& scenario, Tally& tally);

/// The smallest of a chain of simpler ones that all fail; tries at most `tries`. `fails(scenario)` holds.
vm_scenario::Scenario shrink(vm_scenario::Scenario scenario, std::uint32_t tries,
                             const std::function<bool(const vm_scenario::Scenario&)>& fails);

}  // namespace vcpr::sweeps
