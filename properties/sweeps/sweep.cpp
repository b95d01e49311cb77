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

}  // namespace vcpr::sweeps
