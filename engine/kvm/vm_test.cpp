// A KVM VM on the simulated machine: nothing stays after an error, routes change as one, an eventfd has one owner.
#include "engine/kvm/vm.hpp"

#include "engine/kvm/kvm_testing.hpp"

namespace vcpr::kvm {
namespace {

namespace abi = os::abi;
using machine::Call;
using machine::FaultPoint;
using os::Errno;
using testing::FailingKernel;
using testing::message_of;
using testing::Side;

constexpr std::uint32_t kVcpus = 3;
constexpr std::uint8_t kVector = 0x51;

/// One fault, at one call of the machine.
class FaultAt final : public machine::Schedule {
 public:
  FaultAt(machine::Machine& host, std::uint64_t call, FaultPoint point) : host_(host), call_(call), point_(point) {
    host_.set_schedule(this);
  }
  FaultAt(const FaultAt&) = delete;
  FaultAt& operator=(const FaultAt&) = delete;
  ~FaultAt() override { host_.set_schedule(nullptr); }
  FaultPoint before(const machine::CallSite& site) override { return site.number == call_ ? point_ : FaultPoint::none; }

 private:
  machine::Machine& host_;
  std::uint64_t call_;
  FaultPoint point_;
};

Errno os_of(const Expected<void>& result) {
  return result ? Errno::none : result.error().os;
}
ErrorCode code_of(const Expected<void>& result) {
  EXPECT_FALSE(result);
  return result ? ErrorCode::truncated : result.error().code;
}

TEST(KvmVm, IsMadeWithEverythingCloseOnExec) {
  machine::Machine host;
  Side side(host, kVcpus);
  EXPECT_EQ(side.vm.vcpu_count(), kVcpus);
  const auto open = machine::Truth(host).descriptors(side.process);
  EXPECT_EQ(open.size(), 2 + kVcpus);
  for (const auto& each : open) EXPECT_TRUE(each.close_on_exec) << each.number;
  EXPECT_EQ(side.inside().vcpu_count, kVcpus);
  EXPECT_EQ(side.inside().routes.count, kPinRoutes) << "from KVM_CREATE_IRQCHIP";
}

TEST(KvmVm, ACreationThatFailsAnywhereLeavesNothingOpen) {
  machine::Machine host;
  machine::Process& process = host.spawn();
  for (std::uint32_t at = 0;; ++at) {
    FailingKernel kernel(process.kernel());
    kernel.fails_at = at;
    auto vm = Vm::create(kernel, kVcpus);
    if (vm) {
      EXPECT_GT(at, 10u);
      break;
    }
    EXPECT_EQ(vm.error().os, Errno::enomem) << vm.error().message();
    EXPECT_EQ(machine::Truth(host).descriptors_open(process), 0u) << vm.error().message();
  }
  EXPECT_EQ(machine::Truth(host).bad_closes(), 0u);
}

TEST(KvmVm, ACreationThatMeetsAnyFaultLeavesNothingOpen) {
  int met = 0;
  for (const machine::FaultRule& rule : machine::fault_table()) {
    for (std::uint64_t at = 0; at < 20; ++at) {
      machine::Machine host;
      machine::Process& process = host.spawn();
      const FaultAt fault(host, at, rule.point);
      auto vm = Vm::create(process.kernel(), kVcpus);
      const machine::Truth truth(host);
      if (truth.faults().size() == 0) continue;
      ++met;
      ASSERT_FALSE(vm);
      EXPECT_EQ(vm.error().os, rule.error);
      EXPECT_EQ(truth.descriptors_open(process), 0u) << vm.error().message();
    }
  }
  EXPECT_EQ(met, 3 + 2 + 2 * static_cast<int>(kVcpus)) << "open, KVM_CREATE_VM, KVM_CREATE_VCPU";
}

TEST(KvmVm, RefusesWhatCannotBe) {
  machine::Machine host;
  os::Kernel& kernel = host.spawn().kernel();
  for (std::uint32_t vcpus : {0u, kMaxVcpus + 1}) {
    auto vm = Vm::create(kernel, vcpus);
    ASSERT_FALSE(vm);
    EXPECT_EQ(vm.error().code, ErrorCode::bad_value);
  }
  EXPECT_EQ(host.calls(), 0u);
  EXPECT_TRUE(Vm::create(kernel, kMaxVcpus));
}

/// A KVM of another version, or without a capability.
struct OtherKvm final : store::NullKernel {
  int version = static_cast<int>(abi::kvm_api_version);
  std::uint32_t missing = ~0u;
  os::Result<int> open(const char*, int) override { return 3; }
  os::Result<int> ioctl(int, std::uint64_t request, void* argument) override {
    if (request == abi::request::kvm_get_api_version) return version;
    if (request != abi::request::kvm_check_extension) return std::unexpected(Errno::enotty);
    return reinterpret_cast<std::uintptr_t>(argument) == missing ? 0 : 1;
  }
};

/// What a creation says; /dev/kvm is closed again.
std::string refusal(OtherKvm& kernel) {
  auto vm = Vm::create(kernel, 1);
  EXPECT_EQ(kernel.closed, std::vector{3});
  return vm ? "" : vm.error().message();
}

TEST(KvmVm, SaysWhichVersionOrCapabilityIsNotThere) {
  OtherKvm newer;
  newer.version = 13;
  EXPECT_EQ(refusal(newer), "bad_version: /dev/kvm: its API has version 13");
  OtherKvm old;
  old.missing = abi::kvm_cap_irqfd_resample;
  EXPECT_EQ(refusal(old), "bad_version: /dev/kvm: has no KVM_CAP_IRQFD_RESAMPLE");
}

TEST(KvmVm, ClosesOnceAndRefusesEverythingThen) {
  machine::Machine host;
  Side side(host, kVcpus);
  const int group = side.eventfd();
  ASSERT_FALSE(side.vm.add_vfio_file(group)) << "the device is made although this is no VFIO file";
  ASSERT_EQ(machine::Truth(host).descriptors_open(side.process), 2 + kVcpus + 2);
  side.vm.close();
  side.vm.close();
  EXPECT_FALSE(side.vm.is_open());
  EXPECT_EQ(side.vm.vcpu_fd(0), -1);
  EXPECT_EQ(machine::Truth(host).descriptors_open(side.process), 1u);
  EXPECT_EQ(machine::Truth(host).bad_closes(), 0u);

  Vm& vm = side.vm;
  const std::uint64_t before = host.calls();
  abi::kvm_lapic_state page;
  abi::kvm_irqchip chip{};
  auto route = vm.add_message_route(message_of(kVector));
  ASSERT_FALSE(route);
  EXPECT_EQ(route.error().code, ErrorCode::bad_state);
  for (const auto& refused : {vm.set_slot(0, 0, 4096, os::UserAddr(4096)), vm.send_message(message_of(kVector)),
                              vm.set_line(5, true), vm.commit_routes(), vm.assign_irqfd(group, 24),
                              vm.deassign_irqfd(group, 24), vm.add_vfio_file(group), vm.remove_vfio_file(group),
                              vm.get_lapic(0, page), vm.set_lapic(0, page), vm.get_irqchip(chip), vm.set_irqchip(chip)})
    EXPECT_EQ(code_of(refused), ErrorCode::bad_state);
  EXPECT_EQ(host.calls(), before);
}

TEST(KvmVm, MovesAsAWhole) {
  machine::Machine host;
  machine::Process& process = host.spawn();
  {
    auto first = Vm::create(process.kernel(), kVcpus);
    ASSERT_TRUE(first);
    Vm second(std::move(*first));
    EXPECT_TRUE(second.is_open() && second.set_line(5, false));
  }
  EXPECT_EQ(machine::Truth(host).descriptors_open(process), 0u);
  EXPECT_EQ(machine::Truth(host).bad_closes(), 0u);
}

TEST(KvmVm, AnswersOnlyTheAddressSpaceThatMadeIt) {
  machine::Machine host;
  machine::Process& process = host.spawn();
  FailingKernel kernel(process.kernel());
  auto vm = Vm::create(kernel, 1);
  ASSERT_TRUE(vm);
  kernel.inner = &host.fork(process).kernel();
  EXPECT_EQ(os_of(vm->set_line(5, true)), Errno::eio);
  abi::kvm_lapic_state page;
  EXPECT_EQ(os_of(vm->get_lapic(0, page)), Errno::eio);
}

TEST(KvmVm, ADeadImagesVmIsGone) {
  machine::Machine host;
  Side side(host);
  side.process.kill();
  EXPECT_EQ(code_of(side.vm.set_line(5, true)), ErrorCode::gone);
}

TEST(KvmSlots, AreSetRemovedAndReadOnlyIfAsked) {
  machine::Machine host;
  Side side(host);
  EXPECT_TRUE(side.vm.set_slot(0, 0, 0x10000, os::UserAddr(0x10000)));
  EXPECT_TRUE(side.vm.set_slot(1, 0xffff0000, 0x10000, os::UserAddr(0x30000), true));
  EXPECT_EQ(os_of(side.vm.set_slot(2, 0x8000, 0x1000, os::UserAddr(0x50000))), Errno::eexist);
  const auto& slots = side.inside().slots.by_number();
  ASSERT_EQ(slots.size(), 2U);
  EXPECT_EQ(slots[0].region.flags, 0U);
  EXPECT_EQ(slots[1].region.flags, abi::kvm_mem_readonly);
  EXPECT_TRUE(side.vm.set_slot(0, 0, 0, os::UserAddr()));
  EXPECT_TRUE(side.vm.set_slot(2, 0x8000, 0x1000, os::UserAddr(0x50000)));
}

TEST(KvmMessages, ReachTheirVcpuOrAreLost) {
  machine::Machine host;
  Side side(host, 2);
  side.enable_apics();
  EXPECT_TRUE(side.vm.send_message(message_of(kVector, 1)));
  EXPECT_EQ(side.take(0), machine::kNoVector);
  EXPECT_EQ(side.take(1), kVector);
  EXPECT_TRUE(side.vm.send_message(message_of(kVector, 77))) << "nobody";
  side.vcpu(1).lapic.write(machine::ApicRegister::id, 0);
  EXPECT_TRUE(side.vm.send_message(message_of(kVector, 77))) << "nobody, and KVM searched all";
}

TEST(KvmRoutes, ABatchIsOneCallAndNoChangeIsNone) {
  machine::Machine host;
  Side side(host);
  side.enable_apics();
  std::uint64_t before = host.calls();
  EXPECT_TRUE(side.vm.commit_routes());
  EXPECT_EQ(host.calls(), before);
  for (std::uint8_t i = 0; i < 8; ++i)
    ASSERT_TRUE(side.vm.add_message_route(message_of(static_cast<std::uint8_t>(kVector + i))));
  EXPECT_TRUE(side.vm.commit_routes() && side.vm.commit_routes());
  EXPECT_EQ(host.calls(), before + 1);
  EXPECT_EQ(side.inside().routes.count, kPinRoutes + 8);
  const int fd = side.eventfd();
  ASSERT_TRUE(side.vm.assign_irqfd(fd, 27));
  side.signal(fd);
  EXPECT_EQ(side.take(), kVector + 3);
}

TEST(KvmRoutes, ACommitThatFailsKeepsTheKernelsTableAndIsStillToBeMade) {
  machine::Machine host;
  Side side(host);
  side.enable_apics();
  const auto gsi = side.vm.add_message_route(message_of(kVector));
  ASSERT_TRUE(gsi && side.vm.commit_routes());
  side.vm.change_message_route(*gsi, message_of(0x71));
  const int fd = side.eventfd();
  ASSERT_TRUE(side.vm.assign_irqfd(fd, *gsi));
  const FaultAt fault(host, host.calls(), FaultPoint::ioctl_set_gsi_routing_enomem);
  EXPECT_EQ(os_of(side.vm.commit_routes()), Errno::enomem);
  side.signal(fd);
  EXPECT_EQ(side.take(), kVector);
  EXPECT_EQ(machine::end_interrupt(side.vcpu()), kVector);
  EXPECT_TRUE(side.vm.commit_routes());
  side.signal(fd);
  EXPECT_EQ(side.take(), 0x71);
}

TEST(KvmRoutes, KvmTakesAFullTable) {
  machine::Machine host;
  Side side(host);
  for (std::uint32_t i = 0; i < kMaxMessageRoutes; ++i) ASSERT_TRUE(side.vm.add_message_route(message_of(kVector)));
  EXPECT_FALSE(side.vm.add_message_route(message_of(kVector)));
  EXPECT_TRUE(side.vm.commit_routes());
  EXPECT_EQ(side.inside().routes.count, kMaxRoutes);
}

/// Two VMs that share an eventfd, as old and new do, each with its own vector behind GSI 24.
struct KvmIrqfd : ::testing::Test {
  KvmIrqfd() {
    for (Side* side : {&a, &b}) {
      side->enable_apics();
      EXPECT_EQ(side->vm.add_message_route(message_of(side == &a ? kVector : 0x61)), 24u);
      EXPECT_TRUE(side->vm.commit_routes());
    }
  }
  machine::Machine host;
  Side a{host};
  const int fd = a.eventfd();
  Side b = testing::heir_of(a);
};

TEST_F(KvmIrqfd, AnEventfdHasOneHolderOnTheHost) {
  ASSERT_TRUE(a.vm.assign_irqfd(fd, 24));
  auto busy = b.vm.assign_irqfd(fd, 24);
  EXPECT_EQ(os_of(busy), Errno::ebusy);
  EXPECT_NE(busy.error().text.find("to GSI 24"), std::string::npos) << busy.error().message();
  ASSERT_TRUE(a.vm.deassign_irqfd(fd, 24));
  EXPECT_TRUE(b.vm.assign_irqfd(fd, 24));
  b.signal(fd);
  EXPECT_EQ(a.take(), machine::kNoVector);
  EXPECT_EQ(b.take(), 0x61);
}

TEST_F(KvmIrqfd, DeassigningWhatIsNotAssignedIsSuccess) {
  EXPECT_TRUE(a.vm.deassign_irqfd(fd, 24));
  ASSERT_TRUE(b.vm.assign_irqfd(fd, 24));
  EXPECT_TRUE(a.vm.deassign_irqfd(fd, 24)) << "the other VM's stays";
  EXPECT_TRUE(b.vm.deassign_irqfd(fd, 25)) << "so does that of another GSI";
  b.signal(fd);
  EXPECT_EQ(b.take(), 0x61);
}

TEST_F(KvmIrqfd, WhatComesBetweenTwoHoldersWaitsInTheCounter) {
  ASSERT_TRUE(a.vm.assign_irqfd(fd, 24) && a.vm.deassign_irqfd(fd, 24));
  a.signal(fd);
  EXPECT_EQ(a.take(), machine::kNoVector);
  ASSERT_TRUE(b.vm.assign_irqfd(fd, 24));
  EXPECT_EQ(b.take(), 0x61);
  EXPECT_EQ(b.count(fd), 1u) << "injected, and still there";
}

TEST_F(KvmIrqfd, ClosingTheVmLetsGoOfItsIrqfds) {
  ASSERT_TRUE(b.vm.assign_irqfd(fd, 24));
  ASSERT_EQ(os_of(a.vm.assign_irqfd(fd, 24)), Errno::ebusy);
  b.vm.close();
  EXPECT_TRUE(a.vm.assign_irqfd(fd, 24));
}

TEST_F(KvmIrqfd, AResamplingOneHoldsThePinUntilItsEoi) {
  constexpr std::uint32_t kPin = 20;
  constexpr std::uint32_t kLevel = 1 << 15;
  machine::write_ioapic(a.inside(), 0x10 + 2 * kPin, kVector | kLevel);
  const int unmask = a.eventfd();
  ASSERT_TRUE(a.vm.assign_irqfd(fd, kPin, unmask));
  a.signal(fd);
  EXPECT_EQ(a.take(), kVector);
  EXPECT_EQ(a.count(unmask), 0u);
  EXPECT_EQ(machine::end_interrupt(a.vcpu()), kVector);
  EXPECT_EQ(a.count(unmask), 1u);
}

struct KvmVfioFile : ::testing::Test {
  KvmVfioFile() { host.plug({machine::DeviceModel::igb, 3, "0000:00:05.0"}); }
  machine::Machine host;
  Side side{host};
};

TEST_F(KvmVfioFile, TheDeviceIsMadeOnceWhenItIsNeeded) {
  const int group = *side.kernel.open("/dev/vfio/3", abi::o_rdwr);
  EXPECT_FALSE(side.inside().has_vfio_device);
  auto none = side.vm.remove_vfio_file(group);
  EXPECT_EQ(code_of(none), ErrorCode::missing_key);
  const std::uint32_t before = machine::Truth(host).descriptors_open(side.process);
  EXPECT_TRUE(side.vm.add_vfio_file(group));
  EXPECT_EQ(os_of(side.vm.add_vfio_file(group)), Errno::eexist);
  EXPECT_EQ(machine::Truth(host).descriptors_open(side.process), before + 1);
  EXPECT_TRUE(side.vm.remove_vfio_file(group));
  EXPECT_EQ(os_of(side.vm.remove_vfio_file(group)), Errno::enoent);
}

TEST_F(KvmVfioFile, ADeviceThatCannotBeMadeIsMadeTheNextTime) {
  const int group = *side.kernel.open("/dev/vfio/3", abi::o_rdwr);
  const FaultAt fault(host, host.calls(), FaultPoint::ioctl_create_device_emfile);
  EXPECT_EQ(os_of(side.vm.add_vfio_file(group)), Errno::emfile);
  EXPECT_TRUE(side.vm.add_vfio_file(group));
}

TEST_F(KvmVfioFile, ClosingTheVmLetsTheFileGo) {
  const int group = *side.kernel.open("/dev/vfio/3", abi::o_rdwr);
  const std::uint32_t file = side.description(group);
  ASSERT_TRUE(side.vm.add_vfio_file(group) && side.kernel.close(group));
  EXPECT_TRUE(machine::Truth(host).description(file).is_open());
  side.vm.close();
  EXPECT_FALSE(machine::Truth(host).description(file).is_open());
}

}  // namespace
}  // namespace vcpr::kvm
