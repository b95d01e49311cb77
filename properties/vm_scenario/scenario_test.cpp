// The model: text and bytes lead to the same scenario, whatever the bytes; every change of a scenario is a scenario.
#include "properties/vm_scenario/scenario.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

#include "properties/machine/fault.hpp"

namespace vcpr::vm_scenario {
namespace {

using machine::DeviceModel;
using whole_vm::Backend;
using whole_vm::Interrupt;

Scenario normal(Scenario scenario) {
  normalise(scenario);
  return scenario;
}

Step pinned(std::uint16_t call, Action action, std::uint32_t operand = 0) {
  return {.action = action, .pinned = true, .call = call, .operand = operand};
}

constexpr std::string_view kEveryKindOfLine = R"(vm ram 2 turns 5 noexec 1 socket 4096
without kvm update_vaddr
device igb legacy msix 3
device edu iommufd msi
device nic iommufd intx
raise 4
start_dma 1
transfer plain stop-first
  at 45 raise 1
  at 60 fault eventfd_emfile times 2
  at 60 damage 4294967295
  at 61 kill_old
  at 90 advance 1500 ms
mask 0
hold
exec
  at 2047 cancel_new
reboot stop-first
)";

std::string reason_of(std::string_view text) {
  auto parsed = parse(text);
  return parsed ? "parsed" : parsed.error();
}

std::vector<std::uint8_t> random_bytes(std::mt19937& random, std::size_t most) {
  std::vector<std::uint8_t> bytes(random() % (most + 1));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 24);
  return bytes;
}

TEST(Actions, StandInOrderOfTheEnumerationAndEachHasItsPlaceAndAName) {
  ASSERT_EQ(actions().size(), kActions);
  for (std::size_t i = 0; i < actions().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(actions()[i].action), i);
    EXPECT_TRUE(actions()[i].between || actions()[i].pinned) << actions()[i].name;
    for (std::size_t other = 0; other < i; ++other) EXPECT_NE(actions()[i].name, actions()[other].name);
  }
}

TEST(Normal, AScenarioHasADevice) {
  EXPECT_EQ(normal({}).devices, std::vector<Device>{Device()});
  EXPECT_TRUE(normal({}).steps.empty());
}

TEST(Normal, ADeviceHasWhatItsModelAndItsHostHave) {
  Scenario scenario{.devices = {{DeviceModel::edu, Backend::iommufd, Interrupt::msix, 3},
                                {DeviceModel::igb, Backend::iommufd, Interrupt::msix, 8},
                                {DeviceModel::nic, Backend::iommufd, Interrupt::msix, 6},
                                {DeviceModel::mediated, Backend::legacy, Interrupt::intx, 4}}};
  EXPECT_EQ(normal(scenario).devices, (std::vector<Device>{{DeviceModel::edu, Backend::iommufd, Interrupt::msi, 1},
                                                           {DeviceModel::igb, Backend::iommufd, Interrupt::msix, 8},
                                                           {DeviceModel::nic, Backend::iommufd, Interrupt::msix, 2},
                                                           {DeviceModel::edu, Backend::legacy, Interrupt::intx, 1}}));
  EXPECT_EQ(lines(normal(scenario)), 12u);
  scenario.without = 1u << static_cast<unsigned>(Feature::device_cdev);
  for (const Device& device : normal(scenario).devices) EXPECT_EQ(device.backend, Backend::legacy);
}

TEST(Normal, PinnedStepsFollowTheirHandoverByCall) {
  Scenario scenario{.steps = {pinned(1, Action::kill_old),
                              {.action = Action::raise},
                              {.action = Action::transfer},
                              {.action = Action::hold},
                              pinned(9, Action::kill_old),
                              pinned(3, Action::raise),
                              {.action = Action::exec, .pinned = true, .call = 7},
                              pinned(3, Action::cancel_old)}};
  EXPECT_EQ(normal(scenario).steps, (std::vector<Step>{{.action = Action::raise},
                                                       {.action = Action::transfer},
                                                       pinned(3, Action::raise),
                                                       pinned(9, Action::kill_old),
                                                       {.action = Action::hold},
                                                       {.action = Action::exec},
                                                       pinned(3, Action::cancel_old)}));
}

TEST(Normal, WhatExceedsALimitIsDropped) {
  Scenario scenario{.steps = std::vector<Step>(200, Step{.action = Action::transfer})};
  scenario.steps.push_back(pinned(0, Action::kill_old));
  scenario.devices.resize(9);
  EXPECT_EQ(normal(scenario).steps.size(), kMaxHandovers);
  EXPECT_EQ(normal(scenario).devices.size(), kMaxDevices);
  scenario.steps.assign(200, Step{.action = Action::hold});
  EXPECT_EQ(normal(scenario).steps.size(), kMaxSteps);
}

TEST(Normal, OperandsCountWhatThereIs) {
  Scenario scenario{.devices = {{DeviceModel::igb, Backend::legacy, Interrupt::msix, 3}, {}},
                    .steps = {{.action = Action::raise, .times = 9, .call = 5, .operand = 6},
                              {.action = Action::unplug, .operand = 3},
                              {.action = Action::hold, .operand = 3},
                              {.action = Action::transfer, .operand = 6},
                              pinned(kMaxCall + 1, Action::fault, 0),
                              pinned(0, Action::damage, 0xffffffff),
                              pinned(0, Action::advance, kMaxMilliseconds + 2)}};
  EXPECT_EQ(normal(scenario).steps, (std::vector<Step>{{.action = Action::raise, .operand = 2},
                                                       {.action = Action::unplug, .operand = 1},
                                                       {.action = Action::hold},
                                                       {.action = Action::transfer, .operand = kStopFirst},
                                                       pinned(0, Action::fault, 1),
                                                       pinned(0, Action::damage, 0xffffffff),
                                                       pinned(0, Action::advance, 1)}));
}

TEST(Text, IsTheIdentityOverEveryKindOfLine) {
  auto scenario = parse(kEveryKindOfLine);
  ASSERT_TRUE(scenario) << scenario.error();
  EXPECT_EQ(print(decode(encode(*scenario))), kEveryKindOfLine);
}

TEST(Text, LeavesOutWhatIsUsualAndIgnoresCommentsAndSpace) {
  auto scenario =
      parse("# why\n\n vm ram 1\r\n\tdevice  edu legacy intx# one\ntransfer\nat 0 fault read_eio times 1\n");
  ASSERT_TRUE(scenario) << scenario.error();
  EXPECT_EQ(print(*scenario), "device edu legacy intx\ntransfer\n  at 0 fault read_eio\n");
}

TEST(Text, SaysInWhichLineWhatWasExpected) {
  const std::string edu = "device edu legacy intx\n";
  EXPECT_EQ(reason_of(""), "line 1: expected a device");
  EXPECT_EQ(reason_of("\nvm ram 4\n"), "line 2: expected a number from 1 to 3, found '4'");
  EXPECT_EQ(reason_of("vm\n"), "line 1: expected one of ram, turns, noexec, socket");
  EXPECT_EQ(reason_of("vm socket 4095\n"), "line 1: expected a number from 4096 to 212992, found '4095'");
  EXPECT_EQ(reason_of("device vga legacy intx\n"), "line 1: expected a model (edu igb nic), found 'vga'");
  EXPECT_EQ(reason_of("device edu legacy msix 1\n"), "line 1: expected intx or msi of an edu, found 'msix'");
  EXPECT_EQ(reason_of("device nic legacy msix 6\n"), "line 1: expected a number from 1 to 5, found '6'");
  EXPECT_EQ(reason_of("device igb legacy msi 2\n"), "line 1: expected no more, found '2'");
  EXPECT_EQ(reason_of("without device_cdev\ndevice igb iommufd msi\n"),
            "line 2: expected legacy without device_cdev, found 'iommufd'");
  EXPECT_EQ(reason_of(edu + "vm ram 2\n"), "line 2: 'vm' stands too late: expected host, then devices, then steps");
  EXPECT_EQ(reason_of("hold\n"), "line 1: expected a device");
  EXPECT_EQ(reason_of("raise 0\n"), "line 1: expected a device before the first step");
  EXPECT_EQ(reason_of(edu + "dance\n"), "line 2: expected vm, without, device, at or an action, found 'dance'");
  EXPECT_EQ(reason_of(edu + "raise 1\n"), "line 2: expected a number from 0 to 0, found '1'");
}

TEST(Text, SaysWhereAStepCannotStand) {
  const std::string given = "device edu legacy intx\ntransfer\n";
  EXPECT_EQ(reason_of("device edu legacy intx\nat 1 hold\n"), "line 2: expected a handover above 'at'");
  EXPECT_EQ(reason_of(given + "hold\nat 1 hold\n"), "line 4: expected a handover above 'at'");
  EXPECT_EQ(reason_of(given + "at 9 hold\nat 8 hold\n"), "line 4: expected a number from 9 to 2047, found '8'");
  EXPECT_EQ(reason_of(given + "at 9 transfer\n"), "line 3: expected no 'at' before 'transfer'");
  EXPECT_EQ(reason_of(given + "kill_old\n"), "line 3: expected 'at CALL' before 'kill_old'");
  EXPECT_EQ(reason_of(given + "at 0 fault bad_luck\n"),
            "line 3: expected a fault point of the machine, found 'bad_luck'");
  EXPECT_EQ(reason_of(given + "at 0 fault none\n"), "line 3: expected a fault point of the machine, found 'none'");
  EXPECT_EQ(reason_of(given + "at 0 fault read_eio times 0\n"), "line 3: expected a number from 1 to 255, found '0'");
  EXPECT_EQ(reason_of(given + "at 0 advance 60001 ms\n"), "line 3: expected a number from 0 to 60000, found '60001'");
  EXPECT_EQ(reason_of(given + "at 0 advance 1\n"), "line 3: expected 'ms' at ''");
}

TEST(Text, HasLimits) {
  std::string text = "device edu legacy intx\ndevice edu legacy intx\ndevice edu legacy intx\ndevice edu legacy intx\n";
  EXPECT_EQ(reason_of(text + "device edu legacy intx\n"), "line 5: expected at most 4 devices");
  for (std::size_t i = 0; i < kMaxHandovers; ++i) text += "exec\n";
  EXPECT_EQ(reason_of(text + "exec\n"), "line 11: expected at most 6 handovers");
  for (std::size_t i = kMaxHandovers; i < kMaxSteps; ++i) text += "hold\n";
  EXPECT_EQ(reason_of(text), "parsed");
  EXPECT_EQ(reason_of(text + "hold\n"), "line 69: expected at most 64 steps");
}

TEST(Bytes, NoneAreOneEduThatNobodyHandsOver) {
  EXPECT_EQ(decode({}), normal({}));
  EXPECT_EQ(decode(std::vector<std::uint8_t>(kConfigBytes)), normal({}));
}

TEST(Bytes, AlwaysDecodeToANormalScenarioWithOneCanonicalForm) {
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    Scenario scenario = decode(random_bytes(random, 900));
    ASSERT_EQ(normal(scenario), scenario);
    ASSERT_EQ(decode(encode(scenario)), scenario);
    auto parsed = parse(print(scenario));
    ASSERT_TRUE(parsed) << parsed.error() << "\n" << print(scenario);
    ASSERT_EQ(*parsed, scenario) << print(scenario);
  }
}

TEST(Bytes, OfSeededScenariosNeverChange) {
  Scenario scenario{.without = 0x201,
                    .ram_blocks = 3,
                    .noexec = 1,
                    .socket_buffer = 212990,
                    .turns = 0x80000001,
                    .devices = {{DeviceModel::igb, Backend::iommufd, Interrupt::msix, 3}},
                    .steps = {{.action = Action::transfer, .operand = kPlain},
                              {.action = Action::fault, .pinned = true, .times = 2, .call = 257, .operand = 4}}};
  EXPECT_EQ(encode(scenario), (std::vector<std::uint8_t>{1, 2,  2, 1, 254, 255, 255, 255, 1, 0, 0, 128, 0, 0, 0, 0,  //
                                                         0, 1,  1, 2, 2,   0,   0,   0,   0, 0, 0, 0,                //
                                                         1, 17, 0, 0, 0,   0,   1,   0,   0, 0, 0, 0,                //
                                                         1, 20, 1, 1, 1,   1,   4,   0,   0, 0, 0, 0}));
}

TEST(Shape, HasWhatTheScenarioSays) {
  whole_vm::Shape plain = shape(normal({}));
  EXPECT_EQ(whole_vm::text(plain), "edu legacy intx 1");
  EXPECT_TRUE(plain.kvm && plain.switches.ipc_lock && plain.switches.map_file);
  Scenario scenario = normal({.without = (1u << kFeatures) - 1, .ram_blocks = 2, .noexec = 2, .socket_buffer = 5000});
  whole_vm::Shape poor = shape(scenario);
  const machine::Switches& switches = poor.switches;
  EXPECT_FALSE(poor.kvm || switches.irqfd_excludes_other_vms || switches.update_vaddr || switches.unmap_all ||
               switches.dirty_tracking || switches.change_process || switches.map_file || switches.device_cdev ||
               switches.dynamic_msix || switches.ipc_lock);
  EXPECT_EQ(poor.ram_blocks, 2u);
  EXPECT_EQ(switches.memfd_noexec, 2u);
  EXPECT_EQ(switches.socket_buffer_bytes, 5000u);
}

std::uint32_t bit(auto value) {
  return 1u << static_cast<unsigned>(value);
}

TEST(Mutation, StaysNormalAndDependsOnTheSeedAlone) {
  Scenario scenario;
  for (std::uint32_t seed = 0; seed < 5000; ++seed) {
    Scenario again = scenario;
    mutate(scenario, seed);
    mutate(again, seed);
    ASSERT_EQ(scenario, again);
    ASSERT_EQ(normal(scenario), scenario);
    if (scenario.steps.size() > 50) scenario = Scenario();
  }
}

TEST(Mutation, ReachesEveryActionFaultDeviceAndFeature) {
  std::uint32_t actions_seen = 0, models = 0, backends = 0, interrupts = 0, missing = 0;
  std::vector<bool> faults(machine::fault_table().size() + 1);
  Scenario scenario;
  for (std::uint32_t seed = 0; seed < 20000; ++seed) {
    mutate(scenario, seed);
    for (const Step& step : scenario.steps) actions_seen |= bit(step.action);
    for (const Step& step : scenario.steps) faults[step.action == Action::fault ? step.operand : 0] = true;
    for (const Device& device : scenario.devices) {
      models |= bit(device.model);
      backends |= bit(device.backend);
      interrupts |= bit(device.interrupt);
    }
    missing |= scenario.without;
    if (scenario.steps.size() > 50) scenario = Scenario();
  }
  EXPECT_EQ(actions_seen, (1u << kActions) - 1);
  EXPECT_EQ(models, (1u << kModels) - 1);
  EXPECT_EQ(backends, 3u);
  EXPECT_EQ(interrupts, 7u);
  EXPECT_EQ(missing, (1u << kFeatures) - 1);
  EXPECT_EQ(std::ranges::count(faults, false), 0);
}

TEST(Mutation, PinsStepsNearEachOther) {
  const Scenario scenario = *parse("device edu legacy intx\ntransfer\n  at 1000 kill_old\n");
  std::uint32_t added = 0, near = 0;
  for (std::uint32_t seed = 0; seed < 5000; ++seed) {
    Scenario changed = scenario;
    mutate(changed, seed);
    for (const Step& step : changed.steps) {
      if (!step.pinned || step.action == Action::kill_old) continue;
      ++added;
      near += step.call >= 985 && step.call <= 1015 ? 1u : 0u;
    }
  }
  EXPECT_GT(2 * near, added);
}

TEST(Mutation, DrawsActionsByWeight) {
  std::vector<std::uint8_t> weights(kActions, 0);
  weights[static_cast<std::size_t>(Action::transfer)] = 1;
  weights[static_cast<std::size_t>(Action::take)] = 200;
  std::uint32_t taken = 0, others = 0;
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    Scenario scenario;
    mutate(scenario, seed, weights);
    for (const Step& step : scenario.steps) {
      taken += step.action == Action::take ? 1u : 0u;
      others += step.action != Action::take && step.action != Action::fault && !is_handover(step.action) ? 1u : 0u;
    }
  }
  EXPECT_GT(taken, 1000u);
  EXPECT_LT(others, taken / 20) << "only a flipped bit makes another";
}

TEST(CrossOver, MixesBothParentsIntoANormalScenario) {
  Scenario left = *parse(kEveryKindOfLine);
  Scenario right = *parse("device edu legacy intx\nhold\ntransfer\n  at 3 kill_new\nrelease\n");
  bool mixed = false;
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    Scenario child = cross_over(left, right, seed);
    ASSERT_EQ(normal(child), child);
    ASSERT_EQ(cross_over(left, right, seed), child);
    mixed |= std::ranges::find(child.steps, Action::exec, &Step::action) != child.steps.end() &&
             std::ranges::find(child.steps, Action::kill_new, &Step::action) != child.steps.end();
  }
  EXPECT_TRUE(mixed);
}

/// The smallest scenario that any chain of candidates leads to while `fails` holds.
template <class Fails>
std::string shrink(Scenario scenario, Fails fails) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (Scenario& candidate : shrink_candidates(scenario)) {
      if (!fails(candidate)) continue;
      scenario = std::move(candidate);
      smaller = true;
      break;
    }
  }
  return print(scenario);
}

bool has_step(const Scenario& scenario, Action action) {
  return std::ranges::any_of(scenario.steps, [=](const Step& step) { return step.action == action; });
}

TEST(Shrinking, EndsWithTheSmallestOfAll) {
  EXPECT_EQ(shrink(*parse(kEveryKindOfLine), [](const Scenario&) { return true; }), "device edu legacy intx\n");
}

TEST(Shrinking, FindsTheStepsThatMatterAndTheirLeastCalls) {
  EXPECT_EQ(shrink(*parse(kEveryKindOfLine),
                   [](const Scenario& scenario) {
                     auto late = [](const Step& step) { return step.action == Action::fault && step.call >= 37; };
                     return std::ranges::any_of(scenario.steps, late) && has_step(scenario, Action::mask);
                   }),
            "device edu legacy intx\ntransfer\n  at 37 fault eventfd_emfile\nmask 0\n");
}

/// The device whose line it is.
const Device& device_of_line(const Scenario& scenario, std::uint32_t line) {
  std::size_t at = 0;
  while (line >= scenario.devices[at].vectors) line -= scenario.devices[at++].vectors;
  return scenario.devices[at];
}

TEST(Shrinking, KeepsStepsOnTheirDevices) {
  Scenario scenario =
      *parse("device igb legacy msix 3\ndevice igb legacy msix 8\ndevice nic iommufd intx\nraise 11\nplug 2\n");
  EXPECT_EQ(shrink(scenario,
                   [](const Scenario& s) {
                     bool on_nic = true, raised = false, plugged = false;
                     for (const Step& step : s.steps) {
                       bool raise = step.action == Action::raise;
                       raised |= raise;
                       plugged |= !raise;
                       const Device& its = raise ? device_of_line(s, step.operand) : s.devices[step.operand];
                       on_nic &= its.model == DeviceModel::nic;
                     }
                     bool igb = std::ranges::any_of(s.devices, [](const Device& d) { return d.vectors >= 2; });
                     return on_nic && raised && plugged && igb;
                   }),
            "device igb legacy msix 2\ndevice nic legacy intx\nraise 2\nplug 1\n");
}

TEST(Shrinking, KeepsStepsOnTheLinesThatAreLeft) {
  EXPECT_EQ(shrink(*parse("device igb legacy msix 4\nraise 3\n"),
                   [](const Scenario& s) { return !s.steps.empty() && s.steps.front().operand > 0; }),
            "device igb legacy msix 2\nraise 1\n");
}

TEST(Shrinking, DescendsAlways) {
  Scenario scenario = *parse(kEveryKindOfLine);
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    mutate(scenario, seed);
    if (scenario.steps.size() > 30) scenario.steps.resize(5);
    normalise(scenario);
    for (const Scenario& candidate : shrink_candidates(scenario)) {
      ASSERT_LT(weight(candidate), weight(scenario));
      ASSERT_EQ(normal(candidate), candidate);
    }
  }
}

}  // namespace
}  // namespace vcpr::vm_scenario
