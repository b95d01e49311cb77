// What KVM is told of groups, across a handover: window W20.
#include <gtest/gtest.h>

#include "engine/vfio/vfio_testing.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::vfio {
namespace {

using machine::DeviceModel;

const DeviceConfig kFirst{.name = "0000:00:07.0", .group = 3};
const DeviceConfig kSecond{.name = "0000:00:05.0", .group = 3};

/// A VM with a KVM of its own process.
struct VmWithKvm {
  explicit VmWithKvm(machine::Process& process, lifecycle::Incoming incoming = lifecycle::Incoming::none,
                     store::CprState arrived = {})
      : kvm(*kvm::Vm::create(process.kernel(), 1)), vm(process, incoming, std::move(arrived)) {
    vm.vm.reset();
    vm.vm.emplace(vm.life, vm.memory, &kvm, vm.interrupts);
    vm.add_ranges(*vm.add_ram());
  }
  kvm::Vm kvm;
  TestVm vm;
};

/// Closing the old KVM erases the new one from the group's file; a device that is opened later must find it there.
TEST(KvmLink, W20_ADevicePluggedAfterTheHandoverKnowsTheNewKvm) {
  machine::Machine host;
  host.plug({DeviceModel::igb, 3, "0000:00:07.0"});
  const std::uint32_t second = host.plug({DeviceModel::edu, 3, "0000:00:05.0"});
  std::optional<VmWithKvm> old(std::in_place, host.spawn());
  ASSERT_TRUE(old->vm.attach(kFirst));
  old->vm.run();
  machine::Process& process = host.spawn();
  VmWithKvm neu(process, lifecycle::Incoming::transfer, arrive(old->vm.life.cpr, old->vm.process, process));
  ASSERT_TRUE(neu.vm.attach(kFirst));
  ASSERT_EQ(text_of(old->vm.let_go()), "");
  ASSERT_EQ(text_of(neu.vm.take_over()), "");
  old->vm.give_away();
  neu.vm.run();
  ASSERT_TRUE(neu.vm.attach(kSecond));
  EXPECT_NE(machine::find_cdev(host.impl(), second)->kvm, nullptr);
  old.reset();
  neu.vm.devices.clear();
  EXPECT_EQ(machine::Truth(host).mappings().size(), 0u);
}

TEST(KvmLink, AGroupThatIsGoneLeavesNoFileWithKvm) {
  machine::Machine host;
  host.plug({DeviceModel::igb, 3, "0000:00:07.0"});
  VmWithKvm with(host.spawn());
  ASSERT_TRUE(with.vm.attach(kFirst));
  with.vm.devices.clear();
  TestVm other(host.spawn());
  EXPECT_TRUE(other.attach(kFirst)) << "the group's file would still be open";
}

}  // namespace
}  // namespace vcpr::vfio
