// The table that both forms, the mutators and the shrinker follow.
#include <array>

#include "properties/machine/fault.hpp"
#include "properties/vm_scenario/parts.hpp"

namespace vcpr::vm_scenario {

namespace {

constexpr ActionRule anywhere(Action action, std::string_view name, Operand operand) {
  return {action, name, operand, true, true};
}
constexpr ActionRule between_only(Action action, std::string_view name, Operand operand) {
  return {action, name, operand, true, false};
}
constexpr ActionRule pinned_only(Action action, std::string_view name, Operand operand) {
  return {action, name, operand, false, true};
}

constexpr std::array<ActionRule, kActions> kRules{
    anywhere(Action::raise, "raise", Operand::line),
    anywhere(Action::start_dma, "start_dma", Operand::device),
    anywhere(Action::complete_dma, "complete_dma", Operand::device),
    anywhere(Action::device_error, "device_error", Operand::device),
    anywhere(Action::unplug_request, "unplug_request", Operand::device),
    anywhere(Action::hold, "hold", Operand::none),
    anywhere(Action::release, "release", Operand::none),
    anywhere(Action::take, "take", Operand::none),
    anywhere(Action::end, "end", Operand::none),
    anywhere(Action::mask, "mask", Operand::line),
    anywhere(Action::unmask, "unmask", Operand::line),
    anywhere(Action::disable, "disable", Operand::device),
    anywhere(Action::enable, "enable", Operand::device),
    anywhere(Action::suspend, "suspend", Operand::none),
    anywhere(Action::wake, "wake", Operand::none),
    anywhere(Action::unplug, "unplug", Operand::device),
    anywhere(Action::plug, "plug", Operand::device),
    between_only(Action::transfer, "transfer", Operand::options),
    between_only(Action::exec, "exec", Operand::options),
    between_only(Action::reboot, "reboot", Operand::options),
    pinned_only(Action::fault, "fault", Operand::fault),
    pinned_only(Action::kill_old, "kill_old", Operand::none),
    pinned_only(Action::kill_new, "kill_new", Operand::none),
    pinned_only(Action::cancel_old, "cancel_old", Operand::none),
    pinned_only(Action::cancel_new, "cancel_new", Operand::none),
    pinned_only(Action::damage, "damage", Operand::seed),
    pinned_only(Action::advance, "advance", Operand::milliseconds),
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<std::size_t>(kRules[i].action) != i) return false;
  }
  return true;
}
static_assert(is_in_order());

}  // namespace

std::span<const ActionRule> actions() {
  return kRules;
}

std::uint64_t operand_end(const Scenario& scenario, Action action) {
  switch (rule(action).operand) {
    case Operand::none:
      return 1;
    case Operand::line:
      return lines(scenario);
    case Operand::device:
      return scenario.devices.size();
    case Operand::options:
      return kAllOptions + 1;
    case Operand::fault:
      return machine::fault_table().size() + 1;
    case Operand::seed:
      return std::uint64_t{1} << 32;
    case Operand::milliseconds:
      return kMaxMilliseconds + 1;
  }
  return 1;
}

std::size_t end_of_pinned(const Scenario& scenario, std::size_t handover) {
  std::size_t end = handover + 1;
  while (end < scenario.steps.size() && scenario.steps[end].pinned) ++end;
  return end;
}

}  // namespace vcpr::vm_scenario
