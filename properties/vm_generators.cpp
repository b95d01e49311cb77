#include "properties/vm_generators.hpp"

#include <algorithm>
#include <utility>

#include "properties/forms/lists.hpp"
#include "properties/machine/fault.hpp"

namespace vcpr::vm_scenario {

void showValue(const Scenario& scenario, std::ostream& out) {
  out << "\n" << print(scenario);
}

}  // namespace vcpr::vm_scenario

namespace vcpr::properties {

using namespace vm_scenario;

namespace {

template <class Number>
rc::Gen<Number> range(Number low, Number high) {
  return rc::gen::inRange<Number>(low, static_cast<Number>(high + 1));
}

template <class Enum>
rc::Gen<Enum> one_of_first(std::uint8_t count) {
  return rc::gen::map(rc::gen::inRange<std::uint8_t>(0, count), [](std::uint8_t n) { return static_cast<Enum>(n); });
}

rc::Gen<Device> any_device() {
  return rc::gen::build<Device>(rc::gen::set(&Device::model, one_of_first<machine::DeviceModel>(kModels)),
                                rc::gen::set(&Device::backend, one_of_first<whole_vm::Backend>(2)),
                                rc::gen::set(&Device::interrupt, one_of_first<whole_vm::Interrupt>(3)),
                                rc::gen::set(&Device::vectors, range<std::uint8_t>(1, kMaxVectors)));
}

/// Most have all; else one thing is missing, or several.
rc::Gen<std::uint16_t> missing_features() {
  auto one = rc::gen::map(rc::gen::inRange<std::uint32_t>(0, kFeatures),
                          [](std::uint32_t bit) { return static_cast<std::uint16_t>(1u << bit); });
  return rc::gen::weightedOneOf<std::uint16_t>(
      {{3, rc::gen::just<std::uint16_t>(0)}, {2, one}, {1, rc::gen::arbitrary<std::uint16_t>()}});
}

/// The first calls of an attempt most of all; it makes a few hundred.
rc::Gen<std::uint16_t> likely_call() {
  return rc::gen::weightedOneOf<std::uint16_t>(
      {{6, range<std::uint16_t>(0, 400)}, {1, range<std::uint16_t>(0, kMaxCall)}});
}

/// Those for which `allowed` holds.
template <class Allowed>
std::vector<Action> actions_that(Allowed allowed) {
  std::vector<Action> found;
  for (const ActionRule& each : vm_scenario::actions()) {
    if (allowed(each)) found.push_back(each.action);
  }
  return found;
}

rc::Gen<Step> step_of(std::vector<Action> actions) {
  return rc::gen::build<Step>(rc::gen::set(&Step::action, rc::gen::elementOf(std::move(actions))),
                              rc::gen::set(&Step::operand, rc::gen::arbitrary<std::uint32_t>()));
}

rc::Gen<Step> any_handover() {
  return step_of({Action::transfer, Action::transfer, Action::exec, Action::exec, Action::reboot});
}

rc::Gen<Step> any_step() {
  auto between =
      step_of(actions_that([](const ActionRule& each) { return each.between && !is_handover(each.action); }));
  return rc::gen::weightedOneOf<Step>({{6, between}, {2, any_handover()}, {6, any_vm_event()}});
}

rc::Gen<Scenario> raw_scenario() {
  auto socket = rc::gen::weightedOneOf<std::uint32_t>(
      {{3, rc::gen::just(Scenario().socket_buffer)}, {1, range(kLeastSocketBuffer, Scenario().socket_buffer)}});
  auto devices = rc::gen::resize(3, rc::gen::container<std::vector<Device>>(any_device()));
  return rc::gen::build<Scenario>(rc::gen::set(&Scenario::without, missing_features()),
                                  rc::gen::set(&Scenario::ram_blocks, range<std::uint8_t>(1, kMaxRamBlocks)),
                                  rc::gen::set(&Scenario::noexec, range<std::uint8_t>(0, 2)),
                                  rc::gen::set(&Scenario::socket_buffer, socket), rc::gen::set(&Scenario::turns),
                                  rc::gen::set(&Scenario::devices, devices),
                                  rc::gen::set(&Scenario::steps, rc::gen::container<std::vector<Step>>(any_step())));
}

template <class Repair>
rc::Gen<Scenario> on_the_model(Repair repair) {
  auto whole = rc::gen::tuple(raw_scenario(), any_handover(), rc::gen::inRange<std::size_t>(0, 4));
  auto normal = rc::gen::map(rc::gen::noShrink(whole), [repair](const auto& parts) {
    auto [scenario, handover, place] = parts;
    if (place < 3) forms::insert(scenario.steps, std::min(place, scenario.steps.size()), handover);
    repair(scenario);
    normalise(scenario);
    return scenario;
  });
  return rc::gen::shrink(normal,
                         [](const Scenario& scenario) { return rc::seq::fromContainer(shrink_candidates(scenario)); });
}

}  // namespace

rc::Gen<Step> vm_event_of(std::vector<Action> actions) {
  return rc::gen::build<Step>(rc::gen::set(&Step::action, rc::gen::elementOf(std::move(actions))),
                              rc::gen::set(&Step::pinned, rc::gen::just(true)),
                              rc::gen::set(&Step::call, likely_call()),
                              rc::gen::set(&Step::operand, rc::gen::arbitrary<std::uint32_t>()));
}

rc::Gen<Step> any_vm_fault() {
  const auto points = static_cast<std::uint32_t>(machine::fault_table().size());
  return rc::gen::build<Step>(
      rc::gen::set(&Step::action, rc::gen::just(Action::fault)), rc::gen::set(&Step::pinned, rc::gen::just(true)),
      rc::gen::set(&Step::times, range<std::uint8_t>(1, 20)), rc::gen::set(&Step::call, likely_call()),
      rc::gen::set(&Step::operand, range<std::uint32_t>(1, points)));
}

rc::Gen<Step> any_vm_event() {
  return rc::gen::oneOf(any_vm_fault(), vm_event_of(actions_that([](const ActionRule& each) { return each.pinned; })));
}

rc::Gen<Scenario> any_vm_scenario() {
  return on_the_model([](Scenario&) {});
}

rc::Gen<Scenario> quiet_vm_scenario() {
  return on_the_model(
      [](Scenario& scenario) { std::erase_if(scenario.steps, [](const Step& step) { return step.pinned; }); });
}

}  // namespace vcpr::properties
