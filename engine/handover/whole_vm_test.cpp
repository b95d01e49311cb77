// Whole VMs with an igb (MSI-X) and an edu (MSI or its line), by group and by cdev, with KVM and without: no interrupt
// is lost, whoever dies or fails when, and there is always one owner.
#include <gtest/gtest.h>

#include "engine/handover/guest_testing.hpp"

namespace vcpr::handover {
namespace {

using lifecycle::RunState;
using machine::CallSite;
using machine::FaultPoint;
using machine::Machine;
using machine::Process;
using machine::Truth;

struct Host {
  explicit Host(const Shape& its_shape, const machine::Switches& switches = {}) : shape(its_shape), machine(switches) {
    plug_devices(machine);
    Expected<void> built = old_side.build(config_of(shape));
    EXPECT_TRUE(built) << built.error().message();
    EXPECT_TRUE(old_side.vm->start());
    EXPECT_TRUE(Guest(machine, old_side).boot(shape));
  }
  bool runs(const Side& side) const { return side.vcpus.running && side.process->alive(); }
  Side* owner() { return runs(old_side) ? &old_side : runs(new_side) ? &new_side : nullptr; }

  Shape shape;
  Machine machine;
  Truth truth{machine};
  Side old_side{machine.spawn()};
  Side new_side{machine.spawn()};
  Pair pair{machine, old_side, new_side, config_of(shape)};
};

/// Each vector at least once: signals coalesce, none is lost (I22, I23).
void expect_all(const Host& host, const std::multiset<int>& handled, const char* when) {
  for (int vector : Guest::expected(host.shape)) EXPECT_GE(handled.count(vector), 1u) << vector << ' ' << when;
}
void expect_exactly(const Host& host, const std::multiset<int>& handled, const char* when) {
  std::set<int> all = Guest::expected(host.shape);
  EXPECT_EQ(handled, std::multiset<int>(all.begin(), all.end())) << when;
}

struct WholeVm : testing::TestWithParam<std::tuple<bool, bool>> {
  Shape shape() const { return {.kvm = std::get<0>(GetParam()), .cdev = std::get<1>(GetParam())}; }
};
INSTANTIATE_TEST_SUITE_P(Of, WholeVm, testing::Combine(testing::Bool(), testing::Bool()), [](const auto& each) {
  return std::string(std::get<0>(each.param) ? "Kvm" : "UserSpace") + (std::get<1>(each.param) ? "ByCdev" : "ByGroup");
});

TEST_P(WholeVm, I23_EachInterruptOfTheGapIsDeliveredOnceAndLaterOnesToo) {
  Host host(shape());
  Guest(host.machine, host.old_side).raise_all();
  expect_exactly(host, Guest(host.machine, host.old_side).handle(), "before");
  host.pair.begin();
  ASSERT_TRUE(host.pair.run_to(Phase::waiting_for_answer)) << host.pair.old_end.text() << host.pair.new_end.text();
  Guest(host.machine, host.old_side).raise_all();
  Guest(host.machine, host.old_side).raise_all();
  ASSERT_TRUE(host.pair.finish());
  ASSERT_TRUE(host.pair.old_end.done) << host.pair.old_end.text();
  ASSERT_TRUE(host.pair.new_end.done) << host.pair.new_end.text();
  Guest guest(host.machine, host.new_side);
  expect_all(host, guest.handle(), "raised in the gap");
  guest.raise_all();
  expect_exactly(host, guest.handle(), "after");
}

TEST_P(WholeVm, I4_I46_NothingIsLeftWhenTheOldProcessEnds) {
  Host host(shape());
  host.pair.begin();
  ASSERT_TRUE(host.pair.finish());
  ASSERT_TRUE(host.pair.new_end.done) << host.pair.new_end.text();
  host.pair.drop_source();
  host.pair.drop_target();
  host.old_side.vm.reset();
  EXPECT_EQ(host.truth.descriptors_open(*host.old_side.process), 0u);
  Guest guest(host.machine, host.new_side);
  guest.raise_all();
  expect_exactly(host, guest.handle(), "the old one gone");
  host.new_side.vm.reset();
  EXPECT_EQ(host.truth.descriptors_open(*host.new_side.process), 0u);
  EXPECT_EQ(host.truth.bad_closes(), 0u);
}

TEST_P(WholeVm, I42_AFailedAttemptLeavesTheGuestWithAllItsInterrupts) {
  Host host(shape());
  for (TargetStep step : {TargetStep::listening, TargetStep::waiting_for_word}) {
    host.pair.begin();
    ASSERT_TRUE(host.pair.run_to(step)) << host.pair.old_end.text() << host.pair.new_end.text();
    Guest(host.machine, host.old_side).raise_all();
    host.pair.target().cancel();
    ASSERT_TRUE(host.pair.finish());
    ASSERT_TRUE(host.pair.old_end.error);
    EXPECT_EQ(host.pair.source().roll_back() == RollBack::incomplete, false) << host.pair.old_end.text();
    ASSERT_TRUE(host.runs(host.old_side)) << host.pair.old_end.text();
    Guest guest(host.machine, host.old_side);
    expect_all(host, guest.handle(), "raised before the roll-back");
    guest.raise_all();
    expect_exactly(host, guest.handle(), "after the roll-back");
  }
  host.pair.begin();
  ASSERT_TRUE(host.pair.finish());
  EXPECT_TRUE(host.pair.new_end.done) << host.pair.new_end.text();
}

TEST_P(WholeVm, AChainOfThreeKeepsEveryInterrupt) {
  Host host(shape());
  Side* owner = &host.old_side;
  std::vector<std::unique_ptr<Side>> sides;
  for (int hop = 0; hop < 3; ++hop) {
    Side& next = *sides.emplace_back(std::make_unique<Side>(host.machine.spawn()));
    Pair pair(host.machine, *owner, next, config_of(host.shape));
    pair.begin();
    ASSERT_TRUE(pair.run_to(Phase::waiting_for_answer)) << pair.old_end.text() << pair.new_end.text();
    Guest(host.machine, *owner).raise_all();
    ASSERT_TRUE(pair.finish());
    ASSERT_TRUE(pair.new_end.done) << pair.new_end.text();
    owner->vm.reset();
    owner = &next;
    expect_all(host, Guest(host.machine, *owner).handle(), "in the gap");
  }
}

TEST_P(WholeVm, W3_DevicesComeAndGoBetweenHandovers) {
  Host host(shape());
  vm::Config less = config_of(host.shape);
  vm::PciConfig edu = less.devices.back();
  less.devices.pop_back();
  ASSERT_TRUE(host.old_side.vm->unplug(kEdu));
  Pair smaller(host.machine, host.old_side, host.new_side, less);
  smaller.begin();
  ASSERT_TRUE(smaller.finish());
  ASSERT_TRUE(smaller.new_end.done) << smaller.new_end.text();
  host.old_side.vm.reset();
  auto plugged = host.new_side.vm->plug(edu);
  ASSERT_TRUE(plugged) << plugged.error().message();
  ASSERT_TRUE(host.new_side.vm->plug_ram({.name = "dimm1", .size = 8192, .address = 1 << 22}));
  vm::Config more = config_of(host.shape);
  more.ram.push_back({.name = "dimm1", .size = 8192, .address = 1 << 22});
  Side third(host.machine.spawn());
  Pair larger(host.machine, host.new_side, third, more);
  larger.begin();
  ASSERT_TRUE(larger.finish());
  EXPECT_TRUE(larger.new_end.done) << larger.new_end.text();
}

/// A memfd that says nothing of execution gets what the host insists on (mm/memfd.c: check_sysctl_memfd_noexec).
TEST_P(WholeVm, AHostThatLetsNobodyExecuteAMemfdIsNoObstacle) {
  for (std::uint8_t policy = 0; policy <= 2; ++policy) {
    SCOPED_TRACE("vm.memfd_noexec is " + std::to_string(policy));
    Host host(shape(), {.memfd_noexec = policy});
    host.pair.begin();
    ASSERT_TRUE(host.pair.finish());
    ASSERT_TRUE(host.pair.new_end.done) << host.pair.new_end.text();
    auto next = exec_on(host.new_side, config_of(host.shape));
    ASSERT_TRUE(next) << next.error().message();
    Guest guest(host.machine, **next);
    guest.raise_all();
    expect_exactly(host, guest.handle(), "after both");
  }
}

/// Which of them the others see depends on who came first, which no section says.
TEST_P(WholeVm, BarsThatOverlapAreHandedOverOrRefusedWithoutHarm) {
  Host host(shape());
  constexpr std::uint32_t kPlace = 0xe000'0000;
  const auto move = [&](const char* device, std::uint32_t address) {
    return host.old_side.vm->device(device)->write_config(vfio::pci::kBar0, address, 4).has_value();
  };
  EXPECT_TRUE(move(kEdu, kPlace));
  EXPECT_TRUE(move(kIgb, kPlace)) << "the guest may; nobody sees it";
  host.pair.begin();
  ASSERT_TRUE(host.pair.finish());
  if (!host.pair.new_end.done) {
    ASSERT_TRUE(host.runs(host.old_side)) << host.pair.old_end.text();
    Guest guest(host.machine, host.old_side);
    guest.raise_all();
    expect_all(host, guest.handle(), "after the roll-back");
    EXPECT_TRUE(move(kIgb, 0xd000'0000));
    host.pair.begin();
    ASSERT_TRUE(host.pair.finish());
  }
  ASSERT_TRUE(host.pair.new_end.done) << host.pair.new_end.text();
  Guest guest(host.machine, host.new_side);
  guest.raise_all();
  expect_all(host, guest.handle(), "at the new owner");
}

/// Whoever drops a source has the VM: as it was, or paused until the other process is out of the way, or its run state
/// says that it is another's.
TEST_P(WholeVm, I45_ASourceThatIsDroppedAtAnyStepLeavesOneOwnerWhoIsTold) {
  std::set<RunState> left_in;
  for (int at = 0;; ++at) {
    SCOPED_TRACE("dropped after step " + std::to_string(at));
    Host host(shape());
    host.pair.begin();
    bool is_over = false;
    for (int step = 0; step < 2 * at + 1 && !is_over; ++step) {  // half steps: the source, then the target
      step % 2 == 0 ? host.pair.step_old() : host.pair.step_new();
      is_over = host.pair.old_end.is_over();
    }
    if (is_over) break;
    const bool was_stopped = host.old_side.vm->is_stopped();
    host.pair.drop_source();
    const RunState left = host.old_side.run_state();
    left_in.insert(left);
    EXPECT_TRUE(was_stopped || left == RunState::running) << name(left);
    for (int turn = 0; turn < 1000 && !host.pair.new_end.is_over(); ++turn) {
      host.pair.step_new();
      host.machine.advance_time(Timeouts{}.hang_up.nanoseconds / 100);
    }
    ASSERT_TRUE(host.pair.new_end.is_over());
    EXPECT_EQ(host.pair.new_end.done, left == RunState::postmigrate);
    host.pair.drop_target();
    if (left != RunState::postmigrate) {
      host.new_side.vm.reset();
      const Expected<void> started = host.old_side.vm->start();
      ASSERT_TRUE(started) << started.error().message();
    }
    Side* owner = host.owner();
    ASSERT_NE(owner, nullptr);
    Guest guest(host.machine, *owner);
    guest.raise_all();
    expect_all(host, guest.handle(), "at whom it was left to");
  }
  EXPECT_TRUE(left_in.contains(RunState::running));
  EXPECT_TRUE(left_in.contains(RunState::paused));
}

// Death and failure at every call

class OneEvent final : public machine::Schedule {
 public:
  OneEvent(Host& host, Process& victim, std::uint64_t number) : host_(host), victim_(victim), number_(number) {}
  FaultPoint before(const CallSite& site) override {
    if (site.process != &victim_ || met || calls_++ != number_) return FaultPoint::none;
    met = true;
    call = site.call;
    Guest(host_.machine, host_.old_side).raise_all();
    if (fault == FaultPoint::none) victim_.kill();
    return fault;
  }
  FaultPoint fault = FaultPoint::none;
  bool met = false;
  machine::Call call{};

 private:
  Host& host_;
  Process& victim_;
  std::uint64_t number_;
  std::uint64_t calls_ = 0;
};

void check(Host& host) {
  ASSERT_FALSE(host.runs(host.old_side) && host.runs(host.new_side));
  std::string ends = host.pair.old_end.text() + " / " + host.pair.new_end.text();
  bool given_away = host.old_side.run_state() == RunState::postmigrate;
  Side* owner = host.owner();
  if (host.old_side.process->alive() && (!given_away || host.new_side.process->alive())) {
    ASSERT_TRUE(owner != nullptr) << ends;
  }
  host.pair.drop_source();
  host.pair.drop_target();
  if (owner != &host.new_side) host.new_side.vm.reset();
  if (owner != &host.new_side) {
    EXPECT_EQ(host.truth.descriptors_open(*host.new_side.process), 0u) << ends;
  }
  EXPECT_EQ(host.truth.bad_closes(), 0u);
  EXPECT_EQ(host.truth.descriptors_in_flight(), 0u);
  if (owner == nullptr) return;
  Guest guest(host.machine, *owner);
  expect_all(host, guest.handle(), "raised at the event");
  guest.raise_all();
  expect_all(host, guest.handle(), "raised afterwards");
  for (const char* path : {kCprSocket, kMainSocket}) (void)owner->kernel->unlink(path);
  Side third(host.machine.spawn());
  Pair again(host.machine, *owner, third, config_of(host.shape));
  again.begin();
  ASSERT_TRUE(again.finish());
  ASSERT_TRUE(again.new_end.done) << ends << " then " << again.old_end.text() << " / " << again.new_end.text();
  guest.raise_all();
  expect_all(host, Guest(host.machine, third).handle(), "at the next owner");
}

bool meets(const Shape& shape, bool old_is_victim, std::uint64_t number, FaultPoint fault, machine::Call* call) {
  Host host(shape);
  OneEvent event(host, *(old_is_victim ? host.old_side : host.new_side).process, number);
  event.fault = fault;
  host.machine.set_schedule(&event);
  host.pair.begin();
  EXPECT_TRUE(host.pair.finish()) << "hangs: " << name(host.pair.source().phase()) << " / "
                                  << name(host.pair.target().step()) << " "
                                  << (host.pair.source().obstacle() ? host.pair.source().obstacle()->message() : "");
  host.machine.set_schedule(nullptr);
  if (event.met && call == nullptr) check(host);
  if (call != nullptr) *call = event.call;
  return event.met;
}

struct WholeVmSweep : testing::TestWithParam<std::tuple<bool, bool, bool>> {
  Shape shape() const { return {.kvm = std::get<0>(GetParam()), .cdev = std::get<1>(GetParam())}; }
  bool old_is_victim() const { return std::get<2>(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Of, WholeVmSweep, testing::Combine(testing::Bool(), testing::Bool(), testing::Bool()),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param) ? "Kvm" : "UserSpace") +
                                  (std::get<1>(each.param) ? "ByCdev" : "ByGroup") +
                                  (std::get<2>(each.param) ? "TheOldSide" : "TheNewSide");
                         });

TEST_P(WholeVmSweep, I2_I35_I45_IsKilledAtEveryCall) {
  for (std::uint64_t number = 0; !HasFailure(); ++number) {
    SCOPED_TRACE("killed at its call " + std::to_string(number));
    if (!meets(shape(), old_is_victim(), number, FaultPoint::none, nullptr)) break;
  }
}

TEST_P(WholeVmSweep, I42_I43_EveryCallFailsInEveryWay) {
  for (std::uint64_t number = 0; !HasFailure(); ++number) {
    machine::Call call{};
    // A fault of another call than any here: shows which one it would be.
    if (!meets(shape(), old_is_victim(), number, FaultPoint::ioctl_dirty_start_enomem, &call)) break;
    for (const machine::FaultRule& rule : machine::fault_table()) {
      if (rule.call != call) continue;
      SCOPED_TRACE("call " + std::to_string(number) + " meets " + std::string(rule.name));
      (void)meets(shape(), old_is_victim(), number, rule.point, nullptr);
    }
  }
}

// Exec

struct ExecOfWholeVm : WholeVm {};
INSTANTIATE_TEST_SUITE_P(Of, ExecOfWholeVm, testing::Combine(testing::Bool(), testing::Bool()), [](const auto& each) {
  return std::string(std::get<0>(each.param) ? "Kvm" : "UserSpace") + (std::get<1>(each.param) ? "ByCdev" : "ByGroup");
});

/// Every call of a kind fails.
class OneFault final : public machine::Schedule {
 public:
  OneFault(machine::Call call, FaultPoint fault) : call_(call), fault_(fault) {}
  FaultPoint before(const CallSite& site) override { return site.call == call_ ? fault_ : FaultPoint::none; }

 private:
  machine::Call call_;
  FaultPoint fault_;
};

/// Two execs and a transfer, each image's VM handed on.
TEST_P(ExecOfWholeVm, ChainsMixModesAndKeepEveryInterrupt) {
  Host host(shape());
  std::vector<std::unique_ptr<Side>> images;
  Side* owner = &host.old_side;
  for (int generation = 0; generation < 2; ++generation) {
    auto next = exec_on(*owner, config_of(host.shape), [&] { Guest(host.machine, *owner).raise_all(); });
    ASSERT_TRUE(next) << next.error().message();
    owner = images.emplace_back(std::move(*next)).get();
    ASSERT_TRUE(owner->vcpus.running);
    expect_all(host, Guest(host.machine, *owner).handle(), "raised while no image had the VM");
  }
  Pair transfer(host.machine, *owner, host.new_side, config_of(host.shape));
  transfer.begin();
  ASSERT_TRUE(transfer.finish());
  ASSERT_TRUE(transfer.new_end.done) << transfer.new_end.text();
  Guest guest(host.machine, host.new_side);
  guest.raise_all();
  expect_exactly(host, guest.handle(), "after three generations");
}

TEST_P(ExecOfWholeVm, AProgramThatCannotRunLeavesTheVmRunning) {
  Host host(shape());
  os::Kernel& kernel = *host.old_side.kernel;
  int file = kernel.memfd_create("main", 0).value_or(-1);
  std::uint32_t before = host.truth.descriptors_open(*host.old_side.process);
  for (int attempt = 0; attempt < 2; ++attempt) {
    Source source(*host.old_side.vm, exec_source(file, ""));
    EXPECT_EQ(source.advance().error().code, ErrorCode::bad_value) << "no program";
    OneFault fault(machine::Call::execve, FaultPoint::execve_enoent);
    host.machine.set_schedule(&fault);
    Source failing(*host.old_side.vm, exec_source(file));
    Expected<Advance> failed = failing.advance();
    host.machine.set_schedule(nullptr);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().os, os::Errno::enoent) << failed.error().message();
    EXPECT_EQ(failing.roll_back(), RollBack::complete);
    EXPECT_TRUE(host.runs(host.old_side));
    EXPECT_EQ(host.truth.descriptors_open(*host.old_side.process), before);
    EXPECT_FALSE(exec_state_present(kernel));
    Guest guest(host.machine, host.old_side);
    guest.raise_all();
    expect_all(host, guest.handle(), "after the roll-back");
  }
}

}  // namespace
}  // namespace vcpr::handover
