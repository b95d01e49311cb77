#include "properties/forms/choice.hpp"
#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

std::array<std::uint8_t, kActions> swarm(std::uint32_t seed) {
  constexpr std::array<std::uint8_t, 4> kWeights{0, 1, 4, 16};
  forms::Choice choice(seed);
  std::array<std::uint8_t, kActions> weights{};
  for (std::uint8_t& each : weights) each = kWeights[choice.below(kWeights.size())];
  return weights;
}

}  // namespace vcpr::vm_scenario
