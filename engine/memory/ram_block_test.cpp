// Guest RAM on the simulated machine: where it comes from, and that no failure leaves anything behind.
#include "engine/memory/ram_block.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/lifecycle/life_testing.hpp"
#include "engine/memory/memory_testing.hpp"
#include "engine/os/abi.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::memory {
namespace {

namespace abi = os::abi;
using lifecycle::Incoming;
using lifecycle::TestLife;
using machine::FaultPoint;
using os::Errno;

constexpr std::uint64_t kSize = 16 * kPageBytes;

/// Meets every call of one kind with a fault.
struct Fault : machine::Schedule {
  explicit Fault(const machine::FaultRule& met) : rule(met) {}
  machine::FaultRule rule;
  FaultPoint before(const machine::CallSite& site) override {
    return site.call == rule.call ? rule.point : FaultPoint::none;
  }
};

struct RamBlocksTest : testing::Test {
  machine::Machine machine;
  machine::Truth truth{machine};
  machine::Process& process = machine.spawn();
  os::Kernel& kernel = process.kernel();
  TestLife vm{kernel};
  RamBlocks blocks{vm.life};

  os::Fd own(os::Result<int> number) { return {kernel, number.value_or(-1)}; }
  /// A VM in the same process that is built from what arrived under ("ram", 0).
  struct Arrived {
    Arrived(os::Kernel& kernel, os::Fd fd) : vm(kernel, Incoming::transfer) {
      EXPECT_TRUE(vm.life.cpr.descriptors.save({"ram", 0}, std::move(fd)));
    }
    store::DescriptorTable& table() { return vm.life.cpr.descriptors; }

    TestLife vm;
    RamBlocks blocks{vm.life};
  };
  os::Fd memfd(std::uint64_t size) {
    os::Fd made = own(kernel.memfd_create("ram", abi::mfd_cloexec));
    EXPECT_TRUE(kernel.ftruncate(made.number(), size));
    return made;
  }
  bool store(os::UserAddr address, char byte) { return process.store(address, std::as_bytes(std::span(&byte, 1))); }
  char load(os::UserAddr address) {
    char byte = 0;
    return process.load(address, std::as_writable_bytes(std::span(&byte, 1))) ? byte : '!';
  }
};

TEST_F(RamBlocksTest, AFreshBlockIsSharedMemoryInTheTable) {
  auto block = blocks.allocate("pc.ram", kSize);
  ASSERT_TRUE(block) << block.error().message();
  EXPECT_EQ((*block)->name, "pc.ram");
  EXPECT_EQ((*block)->size, kSize);
  EXPECT_EQ(vm.life.cpr.descriptors.find({"pc.ram", 0}), (*block)->fd);
  EXPECT_EQ(blocks.find("pc.ram"), *block);
  EXPECT_EQ(blocks.find("pc.rom"), nullptr);
  auto fact = truth.description(truth.description_of(process, (*block)->fd));
  EXPECT_EQ(fact.kind, machine::FileKind::memfd);
  EXPECT_EQ(fact.size, kSize);
  EXPECT_TRUE(truth.descriptors(process).front().close_on_exec);
  ASSERT_TRUE(store((*block)->host + (kSize - 1), 'x'));
  EXPECT_EQ(truth.contents(fact.id, kSize - 1, 1), std::vector{std::byte{'x'}});
  EXPECT_TRUE(vm.life.blockers.check(lifecycle::Mode::cpr_transfer));
}

TEST_F(RamBlocksTest, AnIncomingBlockIsTheMemoryThatCame) {
  auto old = blocks.allocate("ram", kSize);
  ASSERT_TRUE(old && store((*old)->host, 'g'));
  std::uint32_t descriptions = truth.descriptions_made();
  Arrived arrived(kernel, own(kernel.fcntl((*old)->fd, abi::f_dupfd_cloexec, 0)));
  auto block = arrived.blocks.allocate("ram", kSize);
  ASSERT_TRUE(block) << block.error().message();
  EXPECT_NE((*block)->host, (*old)->host);
  EXPECT_EQ(load((*block)->host), 'g');
  EXPECT_TRUE(arrived.table().check_all_claimed());
  EXPECT_EQ(truth.descriptions_made(), descriptions) << "nothing new was made";
}

TEST_F(RamBlocksTest, WhatDidNotComeIsNeverReplacedByFreshMemory) {
  Arrived arrived(kernel, memfd(kSize));
  EXPECT_REFUSED(arrived.blocks.allocate("rom", kSize), ErrorCode::missing_key);
  EXPECT_REFUSED(arrived.blocks.allocate("ram", kSize, Backing::anonymous), ErrorCode::missing_key);
  EXPECT_TRUE(arrived.blocks.all().empty());
  EXPECT_EQ(arrived.vm.life.blockers.size(), 0u);
}

TEST_F(RamBlocksTest, WhatCameMustHaveTheSizeOfTheBlock) {
  Arrived arrived(kernel, memfd(kSize));
  auto refused = arrived.blocks.allocate("ram", kSize + kPageBytes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::bad_value);
  EXPECT_EQ(refused.error().text, "RAM block \"ram\": 65536 bytes came, here it has 69632");
  EXPECT_REFUSED(arrived.blocks.allocate("ram", kSize - kPageBytes), ErrorCode::bad_value);
  EXPECT_FALSE(arrived.table().check_all_claimed()) << "it is nobody's";
  EXPECT_TRUE(arrived.blocks.allocate("ram", kSize));
}

TEST_F(RamBlocksTest, WhatCameMustBeMemory) {
  auto pair = kernel.socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
  ASSERT_TRUE(pair);
  os::Fd peer(kernel, pair->second);
  for (int number : {*kernel.eventfd(0, abi::efd_cloexec), pair->first}) {
    Arrived arrived(kernel, own(number));
    auto refused = arrived.blocks.allocate("ram", kSize);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::wrong_kind) << refused.error().message();
    EXPECT_FALSE(arrived.table().check_all_claimed());
  }
}

TEST_F(RamBlocksTest, ADescriptorThatCannotBeWrittenIsRefused) {
  machine::Described read_only;
  read_only.kind = machine::FileKind::memfd;
  read_only.size = kSize;
  read_only.status_flags = abi::o_rdonly;
  Arrived arrived(kernel, own(process.install(read_only)));
  auto refused = arrived.blocks.allocate("ram", kSize);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os, Errno::eacces);
  EXPECT_FALSE(arrived.table().check_all_claimed());
}

TEST_F(RamBlocksTest, OneDescriptorServesOneBlock) {
  Arrived arrived(kernel, memfd(kSize));
  ASSERT_TRUE(arrived.blocks.allocate("ram", kSize));
  EXPECT_REFUSED(arrived.blocks.allocate("ram", kSize), ErrorCode::duplicate_key);
  RamBlocks others(arrived.vm.life);
  EXPECT_REFUSED(others.allocate("ram", kSize), ErrorCode::key_in_use);
  EXPECT_TRUE(arrived.table().check_all_claimed()) << "the refusal took nothing away";
}

TEST_F(RamBlocksTest, PrivateMemoryForbidsWhatWouldLoseIt) {
  auto block = blocks.allocate("scratch", kSize, Backing::anonymous);
  ASSERT_TRUE(block);
  EXPECT_EQ((*block)->fd, -1);
  EXPECT_EQ(vm.life.cpr.descriptors.size(), 0u);
  EXPECT_TRUE(store((*block)->host, 'x'));
  for (auto mode : {lifecycle::Mode::cpr_transfer, lifecycle::Mode::cpr_exec}) {
    auto refused = vm.life.blockers.check(mode);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text, "RAM block \"scratch\" is private to this process");
  }
  EXPECT_TRUE(vm.life.blockers.check(lifecycle::Mode::cpr_reboot));
  blocks.free(**block);
  EXPECT_TRUE(vm.life.blockers.check(lifecycle::Mode::cpr_transfer));
  vm.life.blockers.set_busy(true);
  EXPECT_REFUSED(blocks.allocate("late", kSize, Backing::anonymous), ErrorCode::bad_state);
}

TEST_F(RamBlocksTest, NamesAndSizesThatNoStreamCouldCarryAreRefused) {
  EXPECT_REFUSED(blocks.allocate("", kSize), ErrorCode::bad_text);
  EXPECT_REFUSED(blocks.allocate(std::string_view("a\0b", 3), kSize), ErrorCode::bad_text);
  EXPECT_REFUSED(blocks.allocate(std::string(kMaxBlockNameBytes + 1, 'n'), kSize), ErrorCode::bad_length);
  EXPECT_REFUSED(blocks.allocate("vfio_group", kSize), ErrorCode::bad_value);
  EXPECT_REFUSED(blocks.allocate("d_interrupt", kSize), ErrorCode::bad_value);
  EXPECT_REFUSED(blocks.allocate("ram", 0), ErrorCode::bad_length);
  EXPECT_REFUSED(blocks.allocate("ram", kSize + 1), ErrorCode::bad_length);
  EXPECT_EQ(machine.calls(), 0u);
  EXPECT_TRUE(blocks.allocate(std::string(kMaxBlockNameBytes, 'n'), kSize));
}

TEST_F(RamBlocksTest, TheNumberOfBlocksHasALimit) {
  process.set_descriptor_limit(kMaxRamBlocks + 8);
  for (std::size_t index = 0; index < kMaxRamBlocks; ++index) {
    ASSERT_TRUE(blocks.allocate("ram" + std::to_string(index), kPageBytes));
  }
  EXPECT_REFUSED(blocks.allocate("one more", kPageBytes), ErrorCode::too_long);
  blocks.free(*blocks.find("ram17"));
  EXPECT_TRUE(blocks.allocate("one more", kPageBytes));
}

TEST_F(RamBlocksTest, AFreedBlockAndADestroyedVmLeaveNothing) {
  {
    RamBlocks some(vm.life);
    auto one = some.allocate("one", kSize), two = some.allocate("two", kSize);
    ASSERT_TRUE(one && two && some.allocate("own", kSize, Backing::anonymous));
    os::UserAddr host = (*one)->host;
    some.free(**one);
    EXPECT_EQ(load(host), '!');
    EXPECT_EQ(truth.descriptors_open(process), 1u);
    EXPECT_EQ(load((*two)->host), '\0');
    EXPECT_TRUE(some.allocate("one", kSize)) << "the name is free again";
  }
  EXPECT_EQ(truth.descriptors_open(process), 0u);
  EXPECT_EQ(vm.life.cpr.descriptors.size(), 0u);
  EXPECT_EQ(vm.life.blockers.size(), 0u);
}

/// Allocates while every call that `rule` is about meets its fault, and expects nothing to be left if that fails.
/// Whether it did.
bool fails_cleanly(RamBlocksTest& test, TestLife& vm, Backing backing, const machine::FaultRule& rule) {
  RamBlocks blocks(vm.life);
  std::uint32_t open = test.truth.descriptors_open(test.process);
  std::size_t entries = vm.life.cpr.descriptors.size();
  Fault fault{rule};
  test.machine.set_schedule(&fault);
  auto block = blocks.allocate("ram", kSize, backing);
  test.machine.set_schedule(nullptr);
  if (block) return false;
  EXPECT_EQ(block.error().os, rule.error);
  EXPECT_EQ(test.truth.descriptors_open(test.process), open);
  EXPECT_EQ(vm.life.cpr.descriptors.size(), entries);
  for (store::Entry entry : vm.life.cpr.descriptors) EXPECT_FALSE(entry.claimed);
  EXPECT_EQ(vm.life.blockers.size(), 0u);
  EXPECT_TRUE(blocks.all().empty());
  return true;
}

TEST_F(RamBlocksTest, NoFaultOnTheWayLeavesAnythingBehind) {
  using enum FaultPoint;
  std::map<std::string, std::set<FaultPoint>> met;
  for (const machine::FaultRule& rule : machine::fault_table()) {
    if (rule.error == Errno::none) continue;
    SCOPED_TRACE(rule.name);
    Arrived arrived(kernel, memfd(kSize));
    if (fails_cleanly(*this, vm, Backing::memfd, rule)) met["fresh"].insert(rule.point);
    if (fails_cleanly(*this, vm, Backing::anonymous, rule)) met["private"].insert(rule.point);
    if (fails_cleanly(*this, arrived.vm, Backing::memfd, rule)) met["incoming"].insert(rule.point);
  }
  EXPECT_EQ(met["fresh"],
            (std::set{memfd_create_emfile, memfd_create_enfile, memfd_create_enomem, ftruncate_enomem, mmap_enomem}));
  EXPECT_EQ(met["private"], std::set{mmap_enomem});
  EXPECT_EQ(met["incoming"], std::set{mmap_enomem});
}

TEST_F(RamBlocksTest, ADeadProcessIsSaid) {
  process.kill();
  EXPECT_REFUSED(blocks.allocate("ram", kSize), ErrorCode::gone);
  EXPECT_EQ(vm.life.cpr.descriptors.size(), 0u);
}

}  // namespace
}  // namespace vcpr::memory
