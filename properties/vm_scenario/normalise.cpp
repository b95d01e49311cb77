#include <algorithm>

#include "properties/forms/lists.hpp"
#include "properties/vm_scenario/parts.hpp"

namespace vcpr::vm_scenario {

namespace {

using forms::limit;
using forms::wrap;
using forms::wrap_enum;
using whole_vm::Backend;
using whole_vm::Interrupt;

/// Whether it is pinned, and only then a call; how often a fault comes; an operand that there is.
void normalise(Step& step, const Scenario& scenario) {
  wrap_enum(step.action, kActions);
  const ActionRule& its = rule(step.action);
  step.pinned = (step.pinned || !its.between) && its.pinned;
  wrap(step.call, 0, step.pinned ? kMaxCall : 0);
  if (its.operand != Operand::fault || step.times == 0) step.times = 1;
  wrap(step.operand, its.operand == Operand::fault ? 1 : 0, operand_end(scenario, step.action) - 1);
}

/// Pinned steps of one handover, by call; of one call in order of the list. std::stable_sort of libstdc++-12 uses what
/// clang-19 calls deprecated.
void sort_by_call(std::span<Step> pinned) {
  for (auto step = pinned.begin(); step != pinned.end(); ++step) {
    auto place = std::upper_bound(pinned.begin(), step, step->call,
                                  [](std::uint16_t call, const Step& other) { return call < other.call; });
    std::rotate(place, step, step + 1);
  }
}

/// Each handover, behind it what is pinned to it, then the others. What is pinned to none is dropped.
std::vector<Step> in_order(const std::vector<Step>& steps) {
  std::vector<Step> ordered;
  std::size_t handovers = 0;
  for (auto next = steps.begin(); next != steps.end();) {
    const bool headed = is_handover(next->action);
    const bool kept = headed && ++handovers <= kMaxHandovers;
    auto end = std::find_if(next + 1, steps.end(), [](const Step& step) { return is_handover(step.action); });
    if (kept) ordered.push_back(*next);
    next += headed ? 1 : 0;
    const auto first = static_cast<std::ptrdiff_t>(ordered.size());
    if (kept) std::copy_if(next, end, std::back_inserter(ordered), [](const Step& step) { return step.pinned; });
    sort_by_call({ordered.begin() + first, ordered.end()});
    std::copy_if(next, end, std::back_inserter(ordered), [](const Step& step) { return !step.pinned; });
    next = end;
  }
  return ordered;
}

}  // namespace

void normalise(Device& device, bool by_cdev) {
  wrap_enum(device.model, kModels);
  wrap_enum(device.backend, 2);
  wrap_enum(device.interrupt, 3);
  if (!by_cdev) device.backend = Backend::legacy;
  const bool no_msix = device.model == machine::DeviceModel::edu;
  if (no_msix && device.interrupt == Interrupt::msix) device.interrupt = Interrupt::msi;
  wrap(device.vectors, 1, max_vectors(device.model, device.interrupt));
}

std::uint8_t max_vectors(machine::DeviceModel model, Interrupt interrupt) {
  if (interrupt != Interrupt::msix) return 1;
  return model == machine::DeviceModel::nic ? 5 : kMaxVectors;
}

std::uint32_t lines(const Scenario& scenario) {
  std::uint32_t count = 0;
  for (const Device& device : scenario.devices) count += device.vectors;
  return count;
}

void normalise(Scenario& scenario) {
  scenario.without &= (1u << kFeatures) - 1;
  wrap(scenario.ram_blocks, 1, kMaxRamBlocks);
  wrap(scenario.noexec, 0, 2);
  wrap(scenario.socket_buffer, kLeastSocketBuffer, Scenario().socket_buffer);
  limit(scenario.devices, kMaxDevices);
  if (scenario.devices.empty()) scenario.devices.emplace_back();
  for (Device& device : scenario.devices) normalise(device, has(scenario, Feature::device_cdev));
  for (Step& step : scenario.steps) normalise(step, scenario);
  scenario.steps = in_order(scenario.steps);
  limit(scenario.steps, kMaxSteps);
}

}  // namespace vcpr::vm_scenario
