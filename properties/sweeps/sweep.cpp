#include "properties/sweeps/sweep.hpp"

#include <utility>

namespace vcpr::sweeps {

using vm_scenario::Scenario;

std::optional<Finding> try_out(const Scenario& scenario, Tally& tally) {
  vm_scenario::Outcome outcome = vm_scenario::run(scenario);
  tally.add(outcome);
  if (!outcome.violation) return std::nullopt;
  return Finding{std::move(*outcome.violation),
                 outcome.seen.empty() ? std::string("undisturbed") : place(outcome.seen.back())};
}

Scenario shrink(Scenario scenario, std::uint32_t tries, const std::function<bool(const Scenario&)>& fails) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (Scenario& candidate : vm_scenario::shrink_candidates(scenario)) {
      if (tries-- == 0) return scenario;
      if (!fails(candidate)) continue;
      scenario = std::move(candidate);
      smaller = true;
      break;
    }
  }
  return scenario;
}

}  // namespace vcpr::sweeps
