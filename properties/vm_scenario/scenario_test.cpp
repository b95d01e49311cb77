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

}  // namespace
}  // namespace vcpr::vm_scenario
