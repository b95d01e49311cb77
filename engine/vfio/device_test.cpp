// A device by group and by cdev: set up in a fresh process, asked, and taken down again.
#include "engine/vfio/device.hpp"

#include <array>
#include <gtest/gtest.h>

#include "engine/os/abi.hpp"
#include "engine/vfio/vfio_testing.hpp"

namespace vcpr::vfio {
namespace {

using machine::DeviceModel;

const DeviceConfig kIgb{.name = "0000:00:07.0", .group = 3};
const DeviceConfig kIgbByCdev{.name = "0000:00:07.0", .iommufd = "iommufd0", .cdev = "/dev/vfio/devices/vfio0"};

/// A host with an igb in group 3 and an edu in group 4, and a VM with its RAM.
struct DeviceTest : testing::Test {
  DeviceTest() {
    host.plug({DeviceModel::igb, 3, "0000:00:07.0"});
    host.plug({DeviceModel::edu, 4, "0000:00:05.0"});
    vm.emplace(host.spawn());
    vm->add_ranges(*vm->add_ram());
    before = truth.descriptors_open(vm->process);
  }
  /// The device goes, and with it everything that came with it.
  void expect_nothing_left() {
    vm->devices.clear();
    EXPECT_EQ(truth.descriptors_open(vm->process), before);
    EXPECT_EQ(vm->life.cpr.descriptors.size(), 1u) << "the RAM block";
    EXPECT_EQ(vm->life.cpr.devices.size(), 0u);
    EXPECT_EQ(vm->life.participants.size(), 0u);
    EXPECT_EQ(vm->life.blockers.size(), 0u);
    EXPECT_EQ(truth.bad_closes(), 0u);
    EXPECT_EQ(vm->process.pinned_pages() + vm->process.locked_pages(), 0u);
  }

  machine::Machine host;
  machine::Truth truth{host};
  std::optional<TestVm> vm;
  std::uint32_t before = 0;
};

class DeviceOfEitherKind : public DeviceTest, public testing::WithParamInterface<const DeviceConfig*> {};
INSTANTIATE_TEST_SUITE_P(ByGroupAndByCdev, DeviceOfEitherKind, testing::Values(&kIgb, &kIgbByCdev),
                         [](const auto& param) { return param.param->iommufd.empty() ? "ByGroup" : "ByCdev"; });

TEST_P(DeviceOfEitherKind, SaysWhatItIs) {
  Expected<Device*> device = vm->attach(*GetParam());
  ASSERT_TRUE(device) << device.error().message();
  EXPECT_TRUE((*device)->can_reset());
  EXPECT_EQ((*device)->irq(IrqIndex::msix).count, 10u);
  EXPECT_EQ((*device)->irq(IrqIndex::err).count, 1u);
  EXPECT_EQ((*device)->region(os::abi::vfio_pci_config_region_index).size, 4096u);
  std::array<std::byte, 4> id{};
  EXPECT_EQ(text_of((*device)->read(os::abi::vfio_pci_config_region_index, 0, id)), "");
  EXPECT_EQ(id, (std::array{std::byte{0x86}, std::byte{0x80}, std::byte{0xc9}, std::byte{0x10}}));
}

TEST_P(DeviceOfEitherKind, LeavesNothing) {
  ASSERT_TRUE(vm->attach(*GetParam()));
  EXPECT_NE(vm->process.pinned_pages() + vm->process.locked_pages(), 0u) << "the RAM is mapped";
  expect_nothing_left();
}

TEST_P(DeviceOfEitherKind, IsRefusedTwiceAndStaysAsItWas) {
  ASSERT_TRUE(vm->attach(*GetParam()));
  const std::uint32_t open = truth.descriptors_open(vm->process);
  Expected<Device*> again = vm->attach(*GetParam());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::duplicate_key);
  EXPECT_EQ(truth.descriptors_open(vm->process), open);
  expect_nothing_left();
}

TEST_F(DeviceTest, SetsTriggersMasksAndTakesThemAway) {
  Expected<Device*> device = vm->attach(kIgb);
  ASSERT_TRUE(device);
  os::Kernel& kernel = vm->process.kernel();
  const std::array<std::int32_t, 2> eventfds{*kernel.eventfd(0, os::abi::efd_nonblock),
                                             *kernel.eventfd(0, os::abi::efd_nonblock)};
  EXPECT_EQ(text_of((*device)->set_triggers(IrqIndex::msix, 0, eventfds)), "");
  EXPECT_EQ(text_of((*device)->disable_irqs(IrqIndex::msix)), "");
  EXPECT_EQ(text_of((*device)->set_triggers(IrqIndex::intx, 0, {eventfds.data(), 1})), "");
  EXPECT_EQ(text_of((*device)->mask(IrqIndex::intx, 0)), "");
  EXPECT_EQ(text_of((*device)->set_unmask_eventfd(IrqIndex::intx, 0, eventfds[1])), "");
  EXPECT_EQ(text_of((*device)->unmask(IrqIndex::intx, 0)), "");
  const Expected<void> beyond = (*device)->mask(IrqIndex::msix, 99);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().os, os::Errno::einval);
  EXPECT_EQ(text_of((*device)->reset()), "");
}

TEST_F(DeviceTest, AccessOutsideARegionIsRefusedBeforeTheKernelIsAsked) {
  Expected<Device*> device = vm->attach(kIgb);
  ASSERT_TRUE(device);
  const std::uint64_t calls = host.calls();
  std::array<std::byte, 4> bytes{};
  EXPECT_EQ((*device)->read(os::abi::vfio_pci_config_region_index, 4094, bytes).error().code, ErrorCode::bad_value);
  EXPECT_EQ((*device)->write(kRegions, 0, bytes).error().code, ErrorCode::bad_value);
  EXPECT_EQ(host.calls(), calls);
}

TEST_F(DeviceTest, AConfigurationThatNobodyCouldFindAgainIsRefused) {
  const int given = *vm->process.kernel().open("/dev/vfio/devices/vfio0", os::abi::o_rdwr);
  const DeviceConfig nameless{.iommufd = "iommufd0", .given_fd = given};
  Expected<Device*> device = vm->attach(nameless);
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, ErrorCode::bad_value);
  EXPECT_EQ(truth.description_of(vm->process, given), 0u) << "taken over, so closed";
  EXPECT_EQ(vm->attach({.name = "a", .group = 3, .given_fd = 99}).error().code, ErrorCode::bad_value);
  EXPECT_EQ(vm->attach({.name = "a", .vf_token = "t", .iommufd = "i", .cdev = "c"}).error().code, ErrorCode::bad_value);
  EXPECT_EQ(vm->attach({.name = "a", .iommufd = "i"}).error().code, ErrorCode::bad_value);
}

TEST_F(DeviceTest, AGivenDescriptorIsKeptUnderTheIdTheUserGave) {
  const int given = *vm->process.kernel().open("/dev/vfio/devices/vfio0", os::abi::o_rdwr);
  Expected<Device*> device = vm->attach({.name = "hostdev0", .iommufd = "iommufd0", .given_fd = given});
  ASSERT_TRUE(device) << device.error().message();
  EXPECT_EQ(vm->life.cpr.descriptors.find({"hostdev0", 0}).value_or(-1), given);
  EXPECT_TRUE(vm->life.cpr.devices.find("hostdev0"));
  expect_nothing_left();
}

}  // namespace
}  // namespace vcpr::vfio
