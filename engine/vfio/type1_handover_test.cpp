// A type1 container on its way from one process to another, and back: every vaddr is at any moment of one of them.
#include <algorithm>
#include <gtest/gtest.h>

#include "engine/os/abi.hpp"
#include "engine/vfio/vfio_testing.hpp"

namespace vcpr::vfio {
namespace {

using lifecycle::Incoming;
using machine::DeviceModel;
using machine::FaultPoint;

const DeviceConfig kIgb{.name = "0000:00:07.0", .group = 3};
const DeviceConfig kEdu{.name = "0000:00:05.0", .group = 4};
constexpr std::uint64_t kWindow = 0x200000;
constexpr std::uint64_t kSparse = 0x300000;

/// What the guest has programmed travels in other sections.
struct GuestMemory {
  memory::GuestIommu iommu;
  memory::DiscardManager discards{TestVm::kPages * memory::kPageBytes, 4 * memory::kPageBytes};
};

/// Two groups in one container, which maps two ranges, a guest IOMMU's window and a sparse block; on its way to a
/// second process.
struct TypeOneContainer : testing::Test {
  TypeOneContainer() {
    host.plug({DeviceModel::igb, 3, "0000:00:07.0"});
    host.plug({DeviceModel::edu, 4, "0000:00:05.0"});
    old.emplace(host.spawn());
    fill(*old, old_memory);
    EXPECT_TRUE(old->attach(kIgb));
    EXPECT_TRUE(old->attach(kEdu));
    old->life.run_state = lifecycle::RunState::running;
  }

  static void fill(TestVm& vm, GuestMemory& guest) {
    memory::RamBlock& ram = *vm.add_ram("ram");
    memory::RamBlock& sparse = *vm.add_ram("sparse");
    vm.add_ranges(ram);
    EXPECT_EQ(text_of(guest.iommu.map({.iova = kWindow, .size = memory::kPageBytes, .block = &ram})), "");
    EXPECT_EQ(text_of(guest.iommu.map({.iova = kWindow + 3 * memory::kPageBytes,
                                       .size = 2 * memory::kPageBytes,
                                       .block = &ram,
                                       .offset = memory::kPageBytes})),
              "");
    EXPECT_EQ(text_of(guest.discards.populate(8 * memory::kPageBytes, 8 * memory::kPageBytes)), "");
    EXPECT_EQ(text_of(vm.memory.add({.address = kWindow, .size = 16 * memory::kPageBytes, .iommu = &guest.iommu})), "");
    EXPECT_EQ(text_of(vm.memory.add(
                  {.address = kSparse, .size = sparse.size, .block = &sparse, .discards = &guest.discards})),
              "");
  }
  /// Two ranges, two mappings of the window, two units of the sparse block.
  static constexpr std::size_t kMappings = 6;

  /// Builds the new VM from what came, up to the moment before it takes over.
  void build_new() {
    machine::Process& process = host.spawn();
    neu.reset();
    neu.emplace(process, Incoming::transfer, arrive(old->life.cpr, old->process, process));
    fill(*neu, new_memory.emplace());
    for (const DeviceConfig& config : {kIgb, kEdu}) {
      Expected<Device*> device = neu->attach(config);
      ASSERT_TRUE(device) << device.error().message();
    }
  }
  Type1Container& container(TestVm& vm) { return *vm.vm->containers.front(); }

  void expect_every_vaddr_of(TestVm& vm) {
    const auto mappings = truth.mappings();
    EXPECT_EQ(mappings.size(), kMappings);
    for (const machine::MappingFact& mapping : mappings) {
      EXPECT_TRUE(mapping.vaddr_valid) << mapping.iova;
      EXPECT_EQ(mapping.owner, &vm.process) << mapping.iova;
      const auto page = machine::page_behind(vm.process, mapping.vaddr);
      ASSERT_TRUE(page);
      EXPECT_EQ(page->memory, mapping.memory) << "invariant I12";
      EXPECT_EQ(page->page, mapping.page) << "invariant I12";
    }
  }
  static std::size_t valid(const std::vector<machine::MappingFact>& mappings) {
    return static_cast<std::size_t>(std::ranges::count(mappings, true, &machine::MappingFact::vaddr_valid));
  }

  machine::Machine host;
  machine::Truth truth{host};
  GuestMemory old_memory;
  std::optional<GuestMemory> new_memory;
  std::optional<TestVm> old;
  std::optional<TestVm> neu;
};

/// Lets one ioctl go wrong that gets to the point: the first one after `skip` others of any kind.
class OneFault final : public machine::Schedule {
 public:
  OneFault(machine::Machine& host, FaultPoint point, std::uint32_t skip) : host_(host), point_(point), skip_(skip) {
    host_.set_schedule(this);
  }
  ~OneFault() override { host_.set_schedule(nullptr); }
  OneFault(const OneFault&) = delete;
  OneFault& operator=(const OneFault&) = delete;
  FaultPoint before(const machine::CallSite& site) override {
    if (site.call != machine::Call::ioctl) return FaultPoint::none;
    return skip_-- == 0 ? point_ : FaultPoint::none;
  }

 private:
  machine::Machine& host_;
  FaultPoint point_;
  std::uint32_t skip_;
};

TEST_F(TypeOneContainer, ASecondGroupJoinsTheFirstOnesContainer) {
  ASSERT_EQ(old->vm->containers.size(), 1u);
  EXPECT_EQ(old->life.cpr.descriptors.find({"vfio_container_for_group", 3}).value_or(-1),
            old->life.cpr.descriptors.find({"vfio_container_for_group", 4}).value_or(-2));
  EXPECT_EQ(container(*old).mappings().size(), kMappings);
  expect_every_vaddr_of(*old);
  EXPECT_EQ(old->life.sections.size(), 1u);
}

TEST_F(TypeOneContainer, I10_I37_BuildingTheNewSideOnlyAsks) {
  const std::size_t changes = truth.iova_changes().size();
  const std::size_t device_changes = truth.device_changes().size();
  build_new();
  EXPECT_EQ(truth.iova_changes().size(), changes);
  EXPECT_EQ(truth.device_changes().size(), device_changes);
  EXPECT_EQ(neu->vm->containers.size(), 1u) << "two descriptors, one container";
  EXPECT_EQ(neu->life.cpr.descriptors.find({"vfio_container_for_group", 3}).value_or(-1),
            neu->life.cpr.descriptors.find({"vfio_container_for_group", 4}).value_or(-2));
  EXPECT_EQ(text_of(neu->life.cpr.descriptors.check_all_claimed(std::vector<store::Key>{})), "");
  expect_every_vaddr_of(*old);
}

TEST_F(TypeOneContainer, I7_TheMatchLeavesTheStatusFlagsAsTheyWere) {
  const int fd = container(*old).fd();
  const int before = *old->process.kernel().fcntl(fd, os::abi::f_getfl, 0);
  build_new();
  EXPECT_EQ(*old->process.kernel().fcntl(fd, os::abi::f_getfl, 0), before);
}

TEST_F(TypeOneContainer, I11_I12_I13_EveryVaddrMovesOverAndNothingElseChanges) {
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  EXPECT_EQ(valid(truth.mappings()), 0u);
  const std::size_t before = truth.iova_changes().size();
  ASSERT_EQ(text_of(neu->take_over()), "");
  expect_every_vaddr_of(*neu);
  EXPECT_EQ(truth.iova_changes().size() - before, kMappings) << "one update a mapping, nothing mapped or unmapped";
  EXPECT_EQ(container(*neu).mappings().size(), kMappings);
  old->give_away();
  neu->run();
  EXPECT_EQ(text_of(new_memory->iommu.unmap(kWindow)), "");
  EXPECT_EQ(truth.mappings().size(), kMappings - 1) << "mapping goes on as ever";
}

TEST_F(TypeOneContainer, I16_TheChargeMovesWithTheVaddr) {
  const std::uint64_t pages = old->process.locked_pages();
  ASSERT_NE(pages, 0u);
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  ASSERT_EQ(text_of(neu->take_over()), "");
  EXPECT_EQ(old->process.locked_pages(), 0u);
  EXPECT_EQ(neu->process.locked_pages(), pages);
}

TEST_F(TypeOneContainer, I46_AVmThatWasGivenAwayOnlyCloses) {
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  ASSERT_EQ(text_of(neu->take_over()), "");
  old->give_away();
  neu->run();
  const std::uint32_t ioctls = truth.calls_of(old->process, machine::Call::ioctl);
  old.reset();
  EXPECT_EQ(truth.calls_of(*truth.processes().front(), machine::Call::ioctl), ioctls);
  expect_every_vaddr_of(*neu);
  EXPECT_EQ(truth.bad_closes(), 0u);
}

TEST_F(TypeOneContainer, W19_AVmThatWasGivenAwayNeitherMapsNorUnmaps) {
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  ASSERT_EQ(text_of(neu->take_over()), "");
  old->give_away();
  EXPECT_FALSE(old_memory.iommu.unmap(kWindow));
  EXPECT_FALSE(old_memory.iommu.map(
      {.iova = kWindow + 8 * memory::kPageBytes, .size = memory::kPageBytes, .block = old->ram->find("ram")}));
  expect_every_vaddr_of(*neu);
}

TEST_F(TypeOneContainer, GoesOnToAThirdProcess) {
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  ASSERT_EQ(text_of(neu->take_over()), "");
  old->give_away();
  neu->run();
  old.reset();
  ASSERT_EQ(text_of(neu->let_go()), "");
  machine::Process& process = host.spawn();
  GuestMemory memory;
  TestVm third(process, Incoming::transfer, arrive(neu->life.cpr, neu->process, process));
  fill(third, memory);
  ASSERT_TRUE(third.attach(kEdu)) << "in another order";
  ASSERT_TRUE(third.attach(kIgb));
  ASSERT_EQ(text_of(third.take_over()), "");
  expect_every_vaddr_of(third);
}

TEST_F(TypeOneContainer, W10_I14_AGuestThatRunsKeepsItsVaddrs) {
  const Expected<void> refused = old->life.participants.let_go(lifecycle::Mode::cpr_transfer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::bad_state);
  expect_every_vaddr_of(*old);
}

TEST_F(TypeOneContainer, I42_I43_TakenBackAsIfNothingHadBeen) {
  ASSERT_EQ(text_of(old->let_go()), "");
  EXPECT_EQ(text_of(old->life.participants.take_back()), "");
  expect_every_vaddr_of(*old);
  const std::uint64_t calls = host.calls();
  EXPECT_EQ(text_of(old->life.participants.take_back()), "");
  EXPECT_EQ(host.calls(), calls) << "idempotent";
  EXPECT_EQ(text_of(old->let_go()), "") << "the next attempt";
}

TEST_F(TypeOneContainer, W12_SomeVaddrsWereRestoredByTheNewProcess) {
  for (std::uint32_t restored = 0; restored < kMappings; ++restored) {
    build_new();
    ASSERT_EQ(text_of(old->let_go()), "");
    {
      const OneFault fault(host, FaultPoint::ioctl_update_vaddr_enomem, restored);
      EXPECT_FALSE(neu->take_over());
    }
    EXPECT_EQ(valid(truth.mappings()), restored);
    neu->life.participants.give_up();
    EXPECT_EQ(text_of(old->life.participants.take_back()), "");
    expect_every_vaddr_of(*old);
    neu.reset();
    expect_every_vaddr_of(*old);
    old->run();
  }
}

TEST_F(TypeOneContainer, W11_W12_TakenBackFromANewProcessThatHadEverythingAndLives) {
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  ASSERT_EQ(text_of(neu->take_over()), "");
  EXPECT_EQ(text_of(old->life.participants.take_back()), "");
  expect_every_vaddr_of(*old);
  neu->life.participants.give_up();
  expect_every_vaddr_of(*old);
  neu.reset();
  expect_every_vaddr_of(*old);
}

TEST_F(TypeOneContainer, TakenBackFromADeadProcess) {
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  ASSERT_EQ(text_of(neu->take_over()), "");
  neu->process.kill();
  EXPECT_EQ(text_of(old->life.participants.take_back()), "");
  expect_every_vaddr_of(*old);
}

class AFailingUpdate : public TypeOneContainer, public testing::WithParamInterface<FaultPoint> {};
INSTANTIATE_TEST_SUITE_P(OfOneVaddr, AFailingUpdate,
                         testing::Values(FaultPoint::ioctl_update_vaddr_enomem, FaultPoint::ioctl_update_vaddr_eintr),
                         [](const auto& param) { return std::string(machine::name(param.param)); });

/// The update fails while it changes hands, so the new process must have had the vaddr before.
TEST_P(AFailingUpdate, I43_LeavesTheOthersRestoredAndSucceedsWhenAskedAgain) {
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  ASSERT_EQ(text_of(neu->take_over()), "");
  {
    constexpr std::uint32_t kThirdUpdate = 8;  // each mapping: update refused, invalidate, update
    const OneFault fault(host, GetParam(), kThirdUpdate);
    const Expected<void> failed = old->life.participants.take_back();
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().os, os::Errno::none);
    ASSERT_EQ(truth.faults().size(), 1u);
  }
  const auto is_ours = [&](const machine::MappingFact& each) {
    return each.vaddr_valid && each.owner == &old->process;
  };
  EXPECT_EQ(std::ranges::count_if(truth.mappings(), is_ours), kMappings - 1) << "it goes on with the rest";
  EXPECT_EQ(text_of(old->life.participants.take_back()), "");
  expect_every_vaddr_of(*old);
}

TEST_F(TypeOneContainer, I13_AMappingThatTheNewSideDoesNotHaveIsFound) {
  EXPECT_EQ(text_of(old->memory.add({.address = 0x500000, .size = memory::kPageBytes, .block = old->ram->find("ram")})),
            "");
  build_new();
  ASSERT_EQ(text_of(old->let_go()), "");
  const Expected<void> missed = neu->take_over();
  ASSERT_FALSE(missed);
  EXPECT_EQ(missed.error().code, ErrorCode::bad_value);
  neu->life.participants.give_up();
  EXPECT_EQ(text_of(old->life.participants.take_back()), "");
  EXPECT_EQ(valid(truth.mappings()), kMappings + 1);
}

TEST_F(TypeOneContainer, I13_AMappingThatOnlyTheNewSideHasIsRefused) {
  build_new();
  EXPECT_EQ(text_of(neu->memory.add({.address = 0x500000, .size = memory::kPageBytes, .block = neu->ram->find("ram")})),
            "");
  ASSERT_EQ(text_of(old->let_go()), "");
  const Expected<void> refused = neu->take_over();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os, os::Errno::enoent);
  neu->life.participants.give_up();
  EXPECT_EQ(text_of(old->life.participants.take_back()), "");
  expect_every_vaddr_of(*old);
}

/// Weakness 15 of QEMU: a missing descriptor became a fresh one.
TEST_F(TypeOneContainer, WhatDidNotComeIsAnError) {
  for (const store::Key& missing :
       {store::Key{"vfio_group", 3}, store::Key{"vfio_container_for_group", 3}, store::Key{"0000:00:07.0", 0}}) {
    machine::Process& process = host.spawn();
    store::CprState state = arrive(old->life.cpr, old->process, process);
    ASSERT_TRUE(state.descriptors.remove(missing));
    TestVm vm(process, Incoming::transfer, std::move(state));
    const std::uint32_t opens = truth.calls_of(process, machine::Call::open);
    const Expected<Device*> refused = vm.attach(kIgb);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::missing_key);
    EXPECT_EQ(truth.calls_of(process, machine::Call::open), opens);
    EXPECT_EQ(vm.vm->groups.size() + vm.vm->containers.size(), 0u);
  }
  expect_every_vaddr_of(*old);
}

/// Weakness 16: QEMU does not look at what a descriptor is.
TEST_F(TypeOneContainer, ADescriptorOfAnotherKindIsAnError) {
  for (const store::Key& key :
       {store::Key{"vfio_group", 3}, store::Key{"vfio_container_for_group", 3}, store::Key{"0000:00:07.0", 0}}) {
    machine::Process& process = host.spawn();
    store::CprState state = arrive(old->life.cpr, old->process, process);
    ASSERT_TRUE(state.descriptors.remove(key));
    ASSERT_TRUE(state.descriptors.save(key, os::Fd(process.kernel(), *process.kernel().eventfd(0, 0))));
    TestVm vm(process, Incoming::transfer, std::move(state));
    const Expected<Device*> refused = vm.attach(kIgb);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::wrong_kind) << refused.error().message();
  }
}

TEST_F(TypeOneContainer, OfTwoContainersEachIsFoundAgain) {
  TestVm other(host.spawn());
  other.add_ranges(*other.add_ram("other"));
  host.plug({DeviceModel::edu, 5, "0000:00:06.0"});
  ASSERT_TRUE(other.attach({.name = "0000:00:06.0", .group = 5}));
  machine::Process& process = host.spawn();
  store::CprState state = arrive(old->life.cpr, old->process, process);
  store::CprState more = arrive(other.life.cpr, other.process, process);
  for (const store::Key& key :
       {store::Key{"vfio_group", 5}, store::Key{"vfio_container_for_group", 5}, store::Key{"0000:00:06.0", 0}}) {
    Expected<os::Fd> taken = more.descriptors.take(key);
    ASSERT_TRUE(taken);
    ASSERT_TRUE(state.descriptors.save(key, std::move(*taken)));
  }
  TestVm vm(process, Incoming::transfer, std::move(state));
  ASSERT_TRUE(vm.attach(kIgb));
  ASSERT_TRUE(vm.attach({.name = "0000:00:06.0", .group = 5}));
  ASSERT_TRUE(vm.attach(kEdu));
  ASSERT_EQ(vm.vm->containers.size(), 2u) << "QEMU merges them: both are on one devtmpfs";
  EXPECT_EQ(&vm.vm->groups.front()->container(), &vm.vm->groups.back()->container());
  EXPECT_EQ(vm.life.sections.size(), 2u);
}

TEST_F(TypeOneContainer, HotUnplugOfTheFirstGroupLeavesTheSecondItsContainer) {
  EXPECT_EQ(text_of(old->devices.front()->detach()), "");
  EXPECT_EQ(text_of(old->devices.front()->detach()), "") << "idempotent";
  EXPECT_FALSE(old->life.cpr.descriptors.contains({"vfio_container_for_group", 3}));
  EXPECT_EQ(container(*old).mappings().size(), kMappings);
  expect_every_vaddr_of(*old);
  EXPECT_EQ(text_of(old->devices.back()->detach()), "");
  EXPECT_EQ(truth.mappings().size(), 0u);
  EXPECT_EQ(old->life.participants.size() + old->life.sections.in_order().size(), 0u);
  EXPECT_EQ(old->process.locked_pages(), 0u);
}

TEST_F(TypeOneContainer, OnlyASleepingGuestIsRebooted) {
  EXPECT_EQ(old->life.participants.let_go(lifecycle::Mode::cpr_reboot).error().code, ErrorCode::bad_state);
  EXPECT_EQ(text_of(old->life.participants.take_back()), "");
  old->life.run_state = lifecycle::RunState::suspended;
  EXPECT_EQ(text_of(old->life.participants.let_go(lifecycle::Mode::cpr_reboot)), "");
  expect_every_vaddr_of(*old);
}

struct OldKernel {
  bool update_vaddr;
  bool unmap_all;
};
class AKernelWithout : public testing::TestWithParam<OldKernel> {};
INSTANTIATE_TEST_SUITE_P(UpdateVaddrOrUnmapAll, AKernelWithout,
                         testing::Values(OldKernel{false, true}, OldKernel{true, false}));

TEST_P(AKernelWithout, BlocksTransferAndExecAsLongAsTheContainerIsThere) {
  machine::Machine host({.update_vaddr = GetParam().update_vaddr, .unmap_all = GetParam().unmap_all});
  host.plug({DeviceModel::igb, 3, "0000:00:07.0"});
  TestVm vm(host.spawn());
  vm.add_ranges(*vm.add_ram());
  ASSERT_TRUE(vm.attach(kIgb));
  EXPECT_FALSE(vm.life.blockers.check(lifecycle::Mode::cpr_transfer));
  EXPECT_FALSE(vm.life.blockers.check(lifecycle::Mode::cpr_exec));
  EXPECT_TRUE(vm.life.blockers.check(lifecycle::Mode::cpr_reboot));
  EXPECT_EQ(vm.life.sections.size(), 0u);
  vm.devices.clear();
  EXPECT_TRUE(vm.life.blockers.check(lifecycle::Mode::cpr_transfer));
}

TEST(MediatedDevice, BlocksTransferAndExec) {
  machine::Machine host;
  host.plug({DeviceModel::mediated, 7, "00112233-4455-6677-8899-aabbccddeeff"});
  for (const DeviceConfig& config :
       {DeviceConfig{.name = "00112233-4455-6677-8899-aabbccddeeff", .group = 7, .mediated = true},
        DeviceConfig{.name = "00112233-4455-6677-8899-aabbccddeeff",
                     .iommufd = "iommufd0",
                     .cdev = "/dev/vfio/devices/vfio0",
                     .mediated = true}}) {
    TestVm vm(host.spawn());
    vm.add_ranges(*vm.add_ram());
    const Expected<Device*> device = vm.attach(config);
    ASSERT_TRUE(device) << device.error().message();
    EXPECT_FALSE(vm.life.blockers.check(lifecycle::Mode::cpr_transfer));
    EXPECT_FALSE(vm.life.blockers.check(lifecycle::Mode::cpr_exec));
    vm.devices.clear();
    EXPECT_EQ(vm.life.blockers.size(), 0u);
  }
}

}  // namespace
}  // namespace vcpr::vfio
