#include <algorithm>
#include <array>
#include <iterator>

#include "properties/forms/choice.hpp"
#include "properties/forms/lists.hpp"
#include "properties/vm_scenario/parts.hpp"

namespace vcpr::vm_scenario {

namespace {

using forms::erase;
using forms::insert;

/// Calls that an attempt of a usual shape makes, about.
constexpr std::uint32_t kUsualCalls = 400;
/// How far apart two events are that may meet: within one step of a side.
constexpr std::uint32_t kNear = 8;

/// What edits draw from: the seed's choices, the run's weights.
class Draw {
 public:
  Draw(std::uint32_t seed, std::span<const std::uint8_t> weights) : choice_(seed), weights_(weights) {}

  std::uint32_t below(std::uint64_t count) { return choice_.below(count); }
  bool one_in(std::uint64_t count) { return choice_.one_in(count); }
  std::uint32_t any() { return static_cast<std::uint32_t>(choice_.next()); }

  /// One for which `allowed` holds, by weight; the first of them when all weigh nothing.
  template <class Allowed>
  Action action(Allowed allowed) {
    std::uint32_t sum = 0;
    for (const ActionRule& each : actions()) sum += allowed(each) ? weight_of(each.action) : 0;
    std::uint32_t left = sum == 0 ? 0 : below(sum);
    for (const ActionRule& each : actions()) {
      if (!allowed(each)) continue;
      if (sum == 0 || left < weight_of(each.action)) return each.action;
      left -= weight_of(each.action);
    }
    return Action::raise;
  }

 private:
  std::uint32_t weight_of(Action action) const {
    const auto at = static_cast<std::size_t>(action);
    return at < weights_.size() ? weights_[at] : 1;
  }

  forms::Choice choice_;
  std::span<const std::uint8_t> weights_;
};

std::vector<std::size_t> handovers(const Scenario& scenario) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
    if (is_handover(scenario.steps[i].action)) found.push_back(i);
  }
  return found;
}

std::uint32_t operand(const Scenario& scenario, Action action, Draw& draw) {
  constexpr std::array<std::uint32_t, 6> kTimes{1, 100, 1000, 5000, 30'000, kMaxMilliseconds};
  switch (rule(action).operand) {
    case Operand::milliseconds:
      return kTimes[draw.below(kTimes.size())];
    case Operand::options:
      return draw.one_in(2) ? 0 : draw.below(kAllOptions + 1);
    default:
      return draw.below(operand_end(scenario, action));
  }
}

Step between(const Scenario& scenario, Draw& draw) {
  Action action = draw.action([](const ActionRule& each) { return each.between; });
  return {.action = action, .operand = operand(scenario, action, draw)};
}

std::uint16_t near(std::uint16_t call, Draw& draw) {
  const std::uint32_t moved = call + draw.below(2 * kNear + 1);
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(std::max(moved, kNear) - kNear, kMaxCall));
}

/// Near another one of its handover, most likely; else where most calls are.
std::uint16_t call(const Scenario& scenario, std::size_t handover, Draw& draw) {
  const std::size_t others = end_of_pinned(scenario, handover) - handover - 1;
  if (others > 0 && !draw.one_in(4)) return near(scenario.steps[handover + 1 + draw.below(others)].call, draw);
  return static_cast<std::uint16_t>(draw.below(draw.one_in(8) ? kMaxCall + 1u : kUsualCalls));
}

// Edits. Each may leave what normalise() puts right.

void add_between(Scenario& scenario, Draw& draw) {
  insert(scenario.steps, draw.below(scenario.steps.size() + 1), between(scenario, draw));
}

void add_handover(Scenario& scenario, Draw& draw) {
  Action action = draw.action([](const ActionRule& each) { return is_handover(each.action); });
  insert(scenario.steps, draw.below(scenario.steps.size() + 1),
         {.action = action, .operand = operand(scenario, action, draw)});
}

/// To one of the handovers; a scenario without any gets one.
void pin(Scenario& scenario, Action action, Draw& draw) {
  std::vector<std::size_t> found = handovers(scenario);
  if (found.empty()) return add_handover(scenario, draw);
  const std::size_t handover = found[draw.below(found.size())];
  Step step{.action = action, .pinned = true, .call = call(scenario, handover, draw)};
  step.operand = operand(scenario, action, draw);
  if (draw.one_in(4)) step.times = static_cast<std::uint8_t>(1 + draw.below(20));
  insert(scenario.steps, handover + 1, step);
}

void add_pinned(Scenario& scenario, Draw& draw) {
  pin(scenario, draw.action([](const ActionRule& each) { return each.pinned; }), draw);
}

void add_fault(Scenario& scenario, Draw& draw) {
  pin(scenario, Action::fault, draw);
}

/// The same at a call near by, or once more between.
void repeat_step(Scenario& scenario, Draw& draw) {
  if (scenario.steps.empty()) return;
  const std::size_t at = draw.below(scenario.steps.size());
  Step step = scenario.steps[at];
  if (step.pinned) step.call = near(step.call, draw);
  insert(scenario.steps, at + 1, step);
}

void move_call(Scenario& scenario, Draw& draw) {
  std::vector<Step*> pinned;
  for (Step& step : scenario.steps) {
    if (step.pinned) pinned.push_back(&step);
  }
  if (pinned.empty()) return add_pinned(scenario, draw);
  Step& step = *pinned[draw.below(pinned.size())];
  step.call = near(step.call, draw);
}

void move_step(Scenario& scenario, Draw& draw) {
  if (scenario.steps.empty()) return;
  const std::size_t from = draw.below(scenario.steps.size());
  const Step step = scenario.steps[from];
  erase(scenario.steps, from, 1);
  insert(scenario.steps, draw.below(scenario.steps.size() + 1), step);
}

/// With what is pinned to it, right behind itself.
void double_attempt(Scenario& scenario, Draw& draw) {
  std::vector<std::size_t> found = handovers(scenario);
  if (found.empty()) return add_handover(scenario, draw);
  const std::size_t from = found[draw.below(found.size())];
  const std::size_t end = end_of_pinned(scenario, from);
  for (std::size_t i = from; i < end; ++i) insert(scenario.steps, end + i - from, Step(scenario.steps[i]));
}

void erase_steps(Scenario& scenario, Draw& draw) {
  if (scenario.steps.empty()) return;
  const std::size_t from = draw.below(scenario.steps.size());
  const std::size_t most = draw.one_in(4) ? scenario.steps.size() - from : 1;
  erase(scenario.steps, from, 1 + draw.below(most));
}

void change_operand(Scenario& scenario, Draw& draw) {
  if (scenario.steps.empty()) return;
  Step& step = scenario.steps[draw.below(scenario.steps.size())];
  step.operand = operand(scenario, step.action, draw);
}

Device any_device(Draw& draw) {
  return {static_cast<machine::DeviceModel>(draw.below(kModels)), static_cast<whole_vm::Backend>(draw.below(2)),
          static_cast<whole_vm::Interrupt>(draw.below(3)), static_cast<std::uint8_t>(1 + draw.below(kMaxVectors))};
}

/// One more, one fewer, or another.
void change_devices(Scenario& scenario, Draw& draw) {
  const std::size_t at = draw.below(scenario.devices.size());
  if (draw.one_in(3)) return insert(scenario.devices, at, any_device(draw));
  if (draw.one_in(2)) return erase(scenario.devices, at, 1);
  scenario.devices[at] = any_device(draw);
}

void change_host(Scenario& scenario, Draw& draw) {
  switch (draw.below(8)) {
    case 0:
      scenario.ram_blocks = static_cast<std::uint8_t>(1 + draw.below(kMaxRamBlocks));
      break;
    case 1:
      scenario.noexec = static_cast<std::uint8_t>(draw.below(3));
      break;
    case 2:
      scenario.socket_buffer = kLeastSocketBuffer << draw.below(6);
      break;
    case 3:
    case 4:
      scenario.turns = draw.one_in(2) ? draw.any() : scenario.turns ^ 1u << draw.below(32);
      break;
    default:
      scenario.without ^= static_cast<std::uint16_t>(1u << draw.below(kFeatures));
  }
}

/// Reaches every field with every value.
void flip_bit(Scenario& scenario, Draw& draw) {
  std::vector<std::uint8_t> bytes = encode(scenario);
  bytes[draw.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << draw.below(8));
  scenario = decode(bytes);
}

using Edit = void (*)(Scenario&, Draw&);
/// As likely as they are often in it.
constexpr std::array<Edit, 20> kEdits{add_between, add_between, add_between,    add_handover,   add_pinned,
                                      add_pinned,  add_pinned,  add_pinned,     add_fault,      add_fault,
                                      repeat_step, move_call,   move_call,      move_step,      double_attempt,
                                      erase_steps, erase_steps, change_operand, change_devices, change_host};

/// Where a list of steps may be cut so that a handover keeps what is pinned to it; now and then anywhere.
std::size_t cut(const Scenario& scenario, Draw& draw) {
  std::size_t at = draw.below(scenario.steps.size() + 1);
  if (draw.one_in(3)) return at;
  while (at > 0 && at < scenario.steps.size() && scenario.steps[at].pinned) --at;
  return at;
}

}  // namespace

void mutate(Scenario& scenario, std::uint32_t seed, std::span<const std::uint8_t> weights) {
  Draw draw(seed, weights);
  normalise(scenario);
  for (std::uint32_t edits = 1 + draw.below(4); edits > 0; --edits) {
    const Edit edit = draw.one_in(16) ? flip_bit : kEdits[draw.below(kEdits.size())];
    edit(scenario, draw);
    normalise(scenario);
  }
}

Scenario cross_over(const Scenario& left, const Scenario& right, std::uint32_t seed) {
  Draw draw(seed, {});
  Scenario child = draw.one_in(2) ? left : right;
  child.devices = draw.one_in(2) ? left.devices : right.devices;
  const std::size_t front = cut(left, draw);
  const std::size_t back = cut(right, draw);
  child.steps.assign(left.steps.begin(), left.steps.begin() + static_cast<std::ptrdiff_t>(front));
  std::copy(right.steps.begin() + static_cast<std::ptrdiff_t>(back), right.steps.end(),
            std::back_inserter(child.steps));
  normalise(child);
  return child;
}

}  // namespace vcpr::vm_scenario
