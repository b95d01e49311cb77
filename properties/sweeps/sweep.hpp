// Runs one scenario of a sweep, and says what went wrong.
#pragma once

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

}  // namespace vcpr::sweeps
