#include "fuzz/vm_target.hpp"

#include <algorithm>

#include "properties/vm_scenario/run.hpp"
#include "properties/whole_vm/invariants.hpp"

namespace vcpr::fuzz {

vm_scenario::Scenario vm_input(std::span<const std::uint8_t> input, vm_scenario::Focus focus) {
  vm_scenario::Scenario scenario = vm_scenario::decode(input);
  vm_scenario::narrow(scenario, focus);
  return scenario;
}

Ran run_vm(const vm_scenario::Scenario& scenario, const Explain* explain) {
  const vm_scenario::Outcome outcome = vm_scenario::run(scenario, explain);
  if (outcome.violation) whole_vm::report(*outcome.violation);
  return {outcome.hash, outcome.endings.size()};
}

std::size_t write_vm(vm_scenario::Scenario scenario, vm_scenario::Focus focus, std::span<std::uint8_t> into) {
  vm_scenario::narrow(scenario, focus);
  const std::vector<std::uint8_t> bytes = vm_scenario::encode(scenario);
  if (bytes.size() > into.size()) return 0;
  std::ranges::copy(bytes, into.begin());
  return bytes.size();
}

std::expected<Bytes, std::string> parse_vm(std::string_view text, vm_scenario::Focus focus) {
  auto scenario = vm_scenario::parse(text);
  if (!scenario) return std::unexpected(scenario.error());
  vm_scenario::Scenario narrowed = *scenario;
  vm_scenario::narrow(narrowed, focus);
  if (narrowed != *scenario)
    return std::unexpected("not a scenario of this target, which would make it:\n" + vm_scenario::print(narrowed));
  return vm_scenario::encode(*scenario);
}

}  // namespace vcpr::fuzz
