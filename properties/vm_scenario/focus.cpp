#include "properties/vm_scenario/focus.hpp"

#include <algorithm>

#include "properties/vm_scenario/acting.hpp"

namespace vcpr::vm_scenario {

namespace {

void only(Scenario& scenario, Action mode) {
  for (Step& step : scenario.steps) {
    if (is_handover(step.action)) step.action = mode;
  }
}

void all_by(Scenario& scenario, whole_vm::Backend backend) {
  for (Device& device : scenario.devices) device.backend = backend;
}

std::size_t handovers(const Scenario& scenario) {
  return static_cast<std::size_t>(
      std::ranges::count_if(scenario.steps, [](const Step& step) { return is_handover(step.action); }));
}

void at_least(Scenario& scenario, std::size_t count) {
  if (scenario.steps.size() > kMaxSteps - count) scenario.steps.resize(kMaxSteps - count);
  while (handovers(scenario) < count) scenario.steps.push_back({.action = Action::transfer});
}

void let_sleep(Scenario& scenario) {
  std::vector<Step> steps;
  for (const Step& step : scenario.steps) {
    const bool sleeps = !steps.empty() && steps.back().action == Action::suspend;
    if (step.action == Action::reboot && !sleeps) steps.push_back({.action = Action::suspend});
    steps.push_back(step);
  }
  scenario.steps = std::move(steps);
}

void drop_disturbances(Scenario& scenario) {
  std::erase_if(scenario.steps, [](const Step& step) { return step.pinned && disturbs(step.action); });
}
void drop_failures(Scenario& scenario) {
  std::erase_if(scenario.steps, [](const Step& step) { return harms(step.action); });
}

/// The first attempt ends before the VM is given away; another follows.
void fail_first(Scenario& scenario) {
  const auto is_mode = [](const Step& step) { return is_handover(step.action); };
  const auto first = std::ranges::find_if(scenario.steps, is_mode);
  const auto next = first + 1;
  const bool fails = next != scenario.steps.end() && next->pinned && disturbs(next->action);
  if (!fails) scenario.steps.insert(next, {.action = Action::cancel_old, .pinned = true});
  if (scenario.steps.back().action != Action::transfer) scenario.steps.push_back({.action = Action::transfer});
}

}  // namespace

void narrow(Scenario& scenario, Focus focus) {
  at_least(scenario, focus == Focus::chain ? 2 : 1);
  switch (focus) {
    case Focus::transfer:
      only(scenario, Action::transfer);
      break;
    case Focus::exec:
      only(scenario, Action::exec);
      break;
    case Focus::reboot:
      only(scenario, Action::reboot);
      let_sleep(scenario);
      break;
    case Focus::interrupts:
      scenario.without &= static_cast<std::uint16_t>(~(1u << static_cast<unsigned>(Feature::kvm)));
      drop_disturbances(scenario);
      break;
    case Focus::container_legacy:
      all_by(scenario, whole_vm::Backend::legacy);
      break;
    case Focus::container_iommufd:
      all_by(scenario, whole_vm::Backend::iommufd);
      break;
    case Focus::pci_state:
      drop_failures(scenario);
      break;
    case Focus::rollback:
      fail_first(scenario);
      break;
    case Focus::chain:
      break;
  }
  normalise(scenario);
}

}  // namespace vcpr::vm_scenario
