#include <algorithm>
#include <bit>

#include "properties/forms/candidates.hpp"
#include "properties/forms/lists.hpp"
#include "properties/vm_scenario/parts.hpp"

namespace vcpr::vm_scenario {

namespace {

using Candidates = forms::Candidates<Scenario>;
using forms::erase;

// Weights: losing a step or a device outweighs everything that can happen to the others' values.
constexpr std::uint64_t kItem = 1u << 20;
constexpr std::uint64_t kSetting = 1u << 10;

/// A fault point weighs nothing: none is simpler than another. What is drawn from much weighs by its length.
std::uint64_t weigh_operand(const Step& step) {
  switch (rule(step.action).operand) {
    case Operand::fault:
      return 0;
    case Operand::seed:
    case Operand::milliseconds:
      return static_cast<std::uint64_t>(std::bit_width(step.operand));
    default:
      return step.operand;
  }
}

std::uint64_t weigh(const Step& step) {
  return kItem + step.call + step.times + weigh_operand(step);
}

std::uint64_t weigh(const Device& device) {
  return kItem + kSetting * (static_cast<std::uint64_t>(device.model) + static_cast<std::uint64_t>(device.backend) +
                             static_cast<std::uint64_t>(device.interrupt) + device.vectors);
}

std::uint64_t weigh_host(const Scenario& scenario) {
  const auto bits =
      static_cast<unsigned>(std::popcount(scenario.without)) + static_cast<unsigned>(std::popcount(scenario.turns));
  const auto small_buffer = static_cast<std::uint64_t>(scenario.socket_buffer != Scenario().socket_buffer);
  return kSetting * (bits + small_buffer + scenario.ram_blocks + scenario.noexec);
}

/// Whole attempts, with what is pinned to them.
void remove_attempts(Candidates& candidates, const Scenario& scenario) {
  for (std::size_t at = 0; at < scenario.steps.size(); ++at) {
    if (!is_handover(scenario.steps[at].action)) continue;
    const std::size_t count = end_of_pinned(scenario, at) - at;
    candidates.with([=](Scenario& changed) { erase(changed.steps, at, count); });
  }
}

/// Halves, quarters, ... down to single ones, front to back.
void remove_steps(Candidates& candidates, const Scenario& scenario) {
  for (std::size_t count = scenario.steps.size(); count > 0; count /= 2) {
    for (std::size_t from = 0; from + count <= scenario.steps.size(); from += count)
      candidates.with([=](Scenario& changed) { erase(changed.steps, from, count); });
  }
}

/// The number of a device's first line.
std::uint32_t first_line(const Scenario& scenario, std::size_t device) {
  std::uint32_t line = 0;
  for (std::size_t i = 0; i < device; ++i) line += scenario.devices[i].vectors;
  return line;
}

/// Operands of this kind that counted into the range go with their steps; those behind it move with what they count.
void drop_operands(Scenario& scenario, Operand kind, std::uint32_t from, std::uint32_t count) {
  auto counts = [=](const Step& step) { return rule(step.action).operand == kind && step.operand >= from; };
  std::erase_if(scenario.steps, [=](const Step& step) { return counts(step) && step.operand < from + count; });
  for (Step& step : scenario.steps) {
    if (counts(step)) step.operand -= count;
  }
}

void remove_device(Scenario& scenario, std::size_t at) {
  drop_operands(scenario, Operand::line, first_line(scenario, at), scenario.devices[at].vectors);
  drop_operands(scenario, Operand::device, static_cast<std::uint32_t>(at), 1);
  erase(scenario.devices, at, 1);
}

/// Another device in its place; steps stay with its lines as far as it has them, and with those of the others.
template <class Change>
void change_device(Scenario& scenario, std::size_t at, Change change) {
  Device& device = scenario.devices[at];
  const std::uint32_t old = device.vectors;
  change(device);
  normalise(device, has(scenario, Feature::device_cdev));
  const std::uint32_t first = first_line(scenario, at);
  for (Step& step : scenario.steps) {
    if (rule(step.action).operand != Operand::line || step.operand < first) continue;
    if (step.operand < first + old)
      step.operand = first + (step.operand - first) % device.vectors;
    else
      step.operand = step.operand + device.vectors - old;
  }
}

void simplify_device(Candidates& candidates, std::size_t at) {
  auto with = [&](auto change) { candidates.with([=](Scenario& changed) { change_device(changed, at, change); }); };
  with([](Device& device) { device = Device(); });
  with([](Device& device) { device.model = {}; });
  with([](Device& device) { device.backend = {}; });
  with([](Device& device) { device.interrupt = {}; });
  with([](Device& device) { device.interrupt = whole_vm::Interrupt::msi; });
  with([](Device& device) { device.vectors = 1; });
  with([](Device& device) { device.vectors = std::max<std::uint8_t>(device.vectors, 2) - 1; });
}

void simplify_devices(Candidates& candidates, const Scenario& scenario) {
  for (std::size_t at = 0; at < scenario.devices.size(); ++at) {
    if (scenario.devices.size() > 1) candidates.with([=](Scenario& changed) { remove_device(changed, at); });
    simplify_device(candidates, at);
  }
}

template <class Value>
void reset(Candidates& candidates, Value Scenario::* setting) {
  candidates.with([=](Scenario& changed) { changed.*setting = Scenario().*setting; });
}

/// All of a set of bits, then each.
template <class Bits>
void clear(Candidates& candidates, Bits Scenario::* bits) {
  reset(candidates, bits);
  for (unsigned bit = 0; bit < 8 * sizeof(Bits); ++bit)
    candidates.with([=](Scenario& changed) { changed.*bits &= static_cast<Bits>(~(1u << bit)); });
}

/// To its least, to half, by one.
template <class Value>
void lower(Candidates& candidates, std::size_t at, Value Step::* value) {
  candidates.with([=](Scenario& changed) { changed.steps[at].*value = 0; });
  candidates.with([=](Scenario& changed) {
    Value& number = changed.steps[at].*value;
    number = static_cast<Value>(number / 2);
  });
  candidates.with([=](Scenario& changed) {
    if (changed.steps[at].*value > 0) --(changed.steps[at].*value);
  });
}

}  // namespace

std::uint64_t weight(const Scenario& scenario) {
  std::uint64_t sum = weigh_host(scenario);
  for (const Device& device : scenario.devices) sum += weigh(device);
  for (const Step& step : scenario.steps) sum += weigh(step);
  return sum;
}

std::vector<Scenario> shrink_candidates(const Scenario& scenario) {
  Candidates candidates(scenario);
  remove_steps(candidates, scenario);
  remove_attempts(candidates, scenario);
  simplify_devices(candidates, scenario);
  clear(candidates, &Scenario::without);
  clear(candidates, &Scenario::turns);
  reset(candidates, &Scenario::ram_blocks);
  reset(candidates, &Scenario::noexec);
  reset(candidates, &Scenario::socket_buffer);
  for (std::size_t at = 0; at < scenario.steps.size(); ++at) {
    lower(candidates, at, &Step::call);
    lower(candidates, at, &Step::operand);
    lower(candidates, at, &Step::times);
  }
  return candidates.take();
}

}  // namespace vcpr::vm_scenario
