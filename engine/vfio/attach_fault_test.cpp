// A device that cannot be attached, whatever goes wrong on the way: nothing is left of it.
#include <gtest/gtest.h>

#include "engine/vfio/vfio_testing.hpp"

namespace vcpr::vfio {
namespace {

using machine::DeviceModel;
using machine::FaultPoint;

const DeviceConfig kIgb{.name = "0000:00:07.0", .group = 3};
const DeviceConfig kIgbByCdev{.name = "0000:00:07.0", .iommufd = "iommufd0", .cdev = "/dev/vfio/devices/vfio0"};

/// Asks for one fault at one call; a call that does not get there is not touched.
class FaultAt final : public machine::Schedule {
 public:
  FaultAt(machine::Machine& host, std::uint64_t call, FaultPoint point) : host_(host), call_(call), point_(point) {
    host_.set_schedule(this);
  }
  ~FaultAt() override { host_.set_schedule(nullptr); }
  FaultAt(const FaultAt&) = delete;
  FaultAt& operator=(const FaultAt&) = delete;
  FaultPoint before(const machine::CallSite& site) override { return site.number == call_ ? point_ : FaultPoint::none; }

 private:
  machine::Machine& host_;
  std::uint64_t call_;
  FaultPoint point_;
};

/// Kills the process at one call.
class DeathAt final : public machine::Schedule {
 public:
  DeathAt(machine::Machine& host, std::uint64_t call) : host_(host), call_(call) { host_.set_schedule(this); }
  ~DeathAt() override { host_.set_schedule(nullptr); }
  DeathAt(const DeathAt&) = delete;
  DeathAt& operator=(const DeathAt&) = delete;
  FaultPoint before(const machine::CallSite& site) override {
    if (site.number == call_) site.process->kill();
    return FaultPoint::none;
  }

 private:
  machine::Machine& host_;
  std::uint64_t call_;
};

struct Host {
  Host() {
    machine.plug({DeviceModel::igb, 3, "0000:00:07.0"});
    vm.emplace(machine.spawn());
    kvm.emplace(*kvm::Vm::create(vm->process.kernel(), 1));
    vm->vm.reset();
    vm->vm.emplace(vm->life, vm->memory, &*kvm, vm->interrupts);
    vm->add_ranges(*vm->add_ram());
    before = truth.descriptors_open(vm->process);
  }
  ~Host() { vm->devices.clear(); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void expect_nothing_left() {
    const std::uint32_t link = 1;  // the VFIO device of KVM stays once it was made
    EXPECT_LE(truth.descriptors_open(vm->process), before + link);
    EXPECT_EQ(truth.mappings().size(), 0u);
    EXPECT_EQ(truth.devices().front().open_files, 0u);
    EXPECT_EQ(truth.bad_closes(), 0u);
    EXPECT_EQ(vm->life.cpr.descriptors.size(), 1u);
    EXPECT_EQ(vm->life.cpr.devices.size() + vm->life.blockers.size(), 0u);
    EXPECT_EQ(vm->life.sections.in_order().size(), 0u);
    EXPECT_EQ(vm->vm->containers.size() + vm->vm->groups.size() + vm->vm->iommufds.size(), 0u);
  }

  machine::Machine machine;
  machine::Truth truth{machine};
  std::optional<kvm::Vm> kvm;
  std::optional<TestVm> vm;
  std::uint32_t before = 0;
};

class AttachingADevice : public testing::TestWithParam<const DeviceConfig*> {};
INSTANTIATE_TEST_SUITE_P(ByGroupAndByCdev, AttachingADevice, testing::Values(&kIgb, &kIgbByCdev),
                         [](const auto& param) { return param.param->iommufd.empty() ? "ByGroup" : "ByCdev"; });

/// The calls of attaching one, numbered as in every other host.
std::pair<std::uint64_t, std::uint64_t> calls_of(const DeviceConfig& config) {
  Host host;
  const std::uint64_t first = host.machine.calls();
  EXPECT_TRUE(host.vm->attach(config));
  return {first, host.machine.calls()};
}

TEST_P(AttachingADevice, LeavesNothingWhateverFaultMeetsWhicheverCall) {
  const auto [first, end] = calls_of(*GetParam());
  std::size_t met = 0;
  for (std::uint64_t call = first; call < end; ++call) {
    for (const machine::FaultRule& rule : machine::fault_table()) {
      Host host;
      bool attached = false;
      {
        const FaultAt fault(host.machine, call, rule.point);
        attached = host.vm->attach(*GetParam()).has_value();
      }
      if (host.truth.faults().size() == 0) continue;
      ++met;
      EXPECT_FALSE(attached) << rule.name << " at call " << call;
      host.expect_nothing_left();
      EXPECT_TRUE(host.vm->attach(*GetParam())) << "the next time";
    }
  }
  EXPECT_GE(met, 5u);
}

TEST_P(AttachingADevice, LeavesNothingToTheHostWhereverTheProcessDies) {
  const auto [first, end] = calls_of(*GetParam());
  for (std::uint64_t call = first; call < end; ++call) {
    Host host;
    {
      const DeathAt death(host.machine, call);
      const Expected<Device*> device = host.vm->attach(*GetParam());
      ASSERT_FALSE(device);
      EXPECT_EQ(device.error().code, ErrorCode::gone);
    }
    EXPECT_EQ(host.truth.mappings().size(), 0u);
    EXPECT_EQ(host.truth.devices().front().open_files, 0u);
  }
}

TEST_P(AttachingADevice, TellsKvmAndTellsItAgainThatItIsGone) {
  Host host;
  ASSERT_TRUE(host.vm->attach(*GetParam()));
  host.vm->devices.clear();
  host.expect_nothing_left();
  ASSERT_TRUE(host.vm->attach(*GetParam())) << "a file that KVM still had would keep the group busy";
}

TEST_P(AttachingADevice, DoneClosesKvm) {
  Host host;
  ASSERT_TRUE(host.vm->attach(*GetParam()));
  ASSERT_TRUE(host.vm->let_go());
  host.vm->give_away();
  EXPECT_FALSE(host.kvm->is_open());
}

}  // namespace
}  // namespace vcpr::vfio
