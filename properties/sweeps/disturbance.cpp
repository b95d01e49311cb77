#include "properties/sweeps/disturbance.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "properties/forms/choice.hpp"

namespace vcpr::sweeps {

namespace {

using vm_scenario::Action;
using vm_scenario::Scenario;
using vm_scenario::Step;

/// What happens before one call.
class Boundary {
 public:
  Boundary(const Canonical& canonical, std::uint16_t call, std::vector<Disturbance>& into)
      : scenario_(canonical.scenario), call_(call), into_(into) {}

  void add_all(const machine::FaultSet& passed) {
    add_interrupts();
    add_faults(passed);
    for (const Action end : {Action::kill_old, Action::kill_new, Action::cancel_old, Action::cancel_new})
      into_.push_back({.before = {}, .at = {pinned(end)}, .again = true});
    add_dma();
    // A guest that sleeps does nothing
    if (scenario_.steps.back().action != Action::reboot) add_guest();
  }

 private:
  Step pinned(Action action, std::uint32_t operand = 0) const {
    return {.action = action, .pinned = true, .call = call_, .operand = operand};
  }

  void add_interrupts() {
    for (std::uint32_t line = 0; line < vm_scenario::lines(scenario_); ++line)
      into_.push_back({.before = {}, .at = {pinned(Action::raise, line)}});
  }

  /// Errors, short I/O and EINTR that the call can meet.
  void add_faults(const machine::FaultSet& passed) {
    for (const machine::FaultRule& rule : machine::fault_table()) {
      if (!passed.test(static_cast<std::size_t>(rule.point))) continue;
      into_.push_back(
          {.before = {}, .at = {pinned(Action::fault, static_cast<std::uint32_t>(rule.point))}, .again = true});
    }
  }

  void add_dma() {
    for (std::uint32_t device = 0; device < scenario_.devices.size(); ++device) {
      if (scenario_.devices[device].model != machine::DeviceModel::edu) continue;
      into_.push_back(
          {.before = {{.action = Action::start_dma, .operand = device}}, .at = {pinned(Action::complete_dma, device)}});
    }
  }

  void add_guest() {
    const Step hold{.action = Action::hold};
    const Step raise{.action = Action::raise};
    const Step take{.action = Action::take};
    into_.push_back({.before = {}, .at = {pinned(Action::hold), pinned(Action::raise)}});
    into_.push_back({.before = {hold, raise}, .at = {pinned(Action::release)}});
    into_.push_back({.before = {hold, raise}, .at = {pinned(Action::take)}});
    into_.push_back({.before = {hold, raise, take}, .at = {pinned(Action::end)}});
    for (std::uint32_t device = 0; device < scenario_.devices.size(); ++device) {
      const Step disable{.action = Action::disable, .operand = device};
      into_.push_back({.before = {}, .at = {pinned(Action::disable, device)}, .again = true});
      into_.push_back({.before = {disable}, .at = {pinned(Action::enable, device)}, .again = true});
    }
    for (std::uint32_t line = 0; line < vm_scenario::lines(scenario_); ++line) {
      const Step mask{.action = Action::mask, .operand = line};
      const Step wait{.action = Action::raise, .operand = line};
      into_.push_back({.before = {}, .at = {pinned(Action::raise, line), pinned(Action::mask, line)}});
      into_.push_back({.before = {mask, wait}, .at = {pinned(Action::unmask, line)}});
    }
  }

  const Scenario& scenario_;
  std::uint16_t call_;
  std::vector<Disturbance>& into_;
};

std::uint16_t call_of(const Disturbance& event) {
  return event.at.back().call;
}

}  // namespace

std::vector<Disturbance> disturbances(const Canonical& canonical, std::span<const machine::FaultSet> calls) {
  std::vector<Disturbance> all;
  const std::size_t end = std::min<std::size_t>(calls.size(), vm_scenario::kMaxCall + std::size_t{1});
  for (std::size_t call = 0; call < end; ++call)
    Boundary(canonical, static_cast<std::uint16_t>(call), all).add_all(calls[call]);
  return all;
}

Scenario disturbed(const Canonical& canonical, std::span<const Disturbance> events) {
  Scenario scenario = canonical.scenario;
  const std::vector<Step> attempt = std::exchange(scenario.steps, {});
  for (const Disturbance& each : events)
    scenario.steps.insert(scenario.steps.end(), each.before.begin(), each.before.end());
  scenario.steps.insert(scenario.steps.end(), attempt.begin(), attempt.end());
  for (const Disturbance& each : events) scenario.steps.insert(scenario.steps.end(), each.at.begin(), each.at.end());
  if (std::ranges::any_of(events, &Disturbance::again))
    scenario.steps.insert(scenario.steps.end(), attempt.begin(), attempt.end());
  vm_scenario::normalise(scenario);
  return scenario;
}

std::vector<Scenario> pairs(const Canonical& canonical, std::span<const Disturbance> all, std::size_t count,
                            std::uint64_t seed) {
  std::vector<Scenario> drawn;
  if (all.empty()) return drawn;
  forms::Choice choice(seed);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t first = choice.below(all.size());
    const auto beyond =
        std::upper_bound(all.begin() + static_cast<std::ptrdiff_t>(first), all.end(), call_of(all[first]) + kNear,
                         [](int call, const Disturbance& each) { return call < call_of(each); });
    const std::size_t second = first + choice.below(static_cast<std::size_t>(beyond - all.begin()) - first);
    drawn.push_back(disturbed(canonical, std::array{all[first], all[second]}));
  }
  return drawn;
}

}  // namespace vcpr::sweeps
