// One handover, again and again: each process killed at every one of its calls, and every call failing in every way it
// can. Whatever happens, there is one owner, and the old process or its successor can hand the VM over afterwards.
#include <gtest/gtest.h>

#include "engine/handover/pair_testing.hpp"

namespace vcpr::handover {
namespace {

using lifecycle::RunState;
using machine::CallSite;
using machine::FaultPoint;
using machine::Machine;
using machine::Truth;

vm::Config small() {
  vm::Config config;
  config.kvm = false;
  config.ram = {{.name = "ram0", .size = 1 << 20, .address = 0}, {.name = "ram1", .size = 4096, .address = 1 << 20}};
  return config;
}

/// Kills a process before its call of this number, or lets that call fail.
class OneEvent final : public machine::Schedule {
 public:
  OneEvent(machine::Process& victim, std::uint64_t number) : victim_(victim), number_(number) {}
  FaultPoint before(const CallSite& site) override {
    if (site.process != &victim_ || met || calls_++ != number_) return FaultPoint::none;
    met = true;
    call = site.call;
    if (fault == FaultPoint::none) victim_.kill();
    return fault;
  }
  FaultPoint fault = FaultPoint::none;
  bool met = false;
  machine::Call call{};

 private:
  machine::Process& victim_;
  std::uint64_t number_;
  std::uint64_t calls_ = 0;
};

struct World {
  World() {
    EXPECT_TRUE(old_side.build(small()));
    EXPECT_TRUE(old_side.vm->start());
  }
  bool runs(const Side& side) const { return side.vcpus.running && side.process->alive(); }

  Machine machine;
  Truth truth{machine};
  Side old_side{machine.spawn()};
  Side new_side{machine.spawn()};
  Pair pair{machine, old_side, new_side, small()};
};

/// What must hold when both sides have ended, or are dead.
void expect_one_owner(World& world) {
  bool old_runs = world.runs(world.old_side);
  bool new_runs = world.runs(world.new_side);
  ASSERT_FALSE(old_runs && new_runs);
  bool given_away = world.old_side.run_state() == RunState::postmigrate;
  if (world.old_side.process->alive() && world.new_side.process->alive()) {
    ASSERT_TRUE(old_runs || new_runs) << world.pair.old_end.text() << " / " << world.pair.new_end.text();
    ASSERT_EQ(new_runs, given_away);
  } else if (world.old_side.process->alive()) {
    ASSERT_EQ(old_runs, !given_away) << world.pair.old_end.text();
  } else if (world.pair.new_end.done) {
    ASSERT_TRUE(new_runs);
  }
}

/// Nobody holds what he should not.
void expect_nothing_left(World& world) {
  world.pair.drop_target();
  world.pair.drop_source();
  if (world.pair.new_end.error) world.new_side.vm.reset();
  std::uint32_t blocks = 2;
  EXPECT_EQ(world.truth.descriptors_open(*world.old_side.process), world.old_side.process->alive() ? blocks : 0u);
  bool arrived = world.pair.new_end.done && world.new_side.process->alive();
  EXPECT_EQ(world.truth.descriptors_open(*world.new_side.process), arrived ? blocks : 0u);
  EXPECT_EQ(world.truth.descriptors_in_flight(), 0u);
  EXPECT_EQ(world.truth.bad_closes(), 0u);
}

/// The living owner hands on to a third process.
void expect_owner_can_hand_over(World& world) {
  Side* owner = world.runs(world.old_side) ? &world.old_side : world.runs(world.new_side) ? &world.new_side : nullptr;
  if (owner == nullptr) return;
  for (const char* path : {kCprSocket, kMainSocket}) (void)owner->kernel->unlink(path);  // the dead leave their files
  Side third(world.machine.spawn());
  Pair again(world.machine, *owner, third, small());
  again.begin();
  ASSERT_TRUE(again.finish());
  ASSERT_TRUE(again.old_end.done) << again.old_end.text() << " / " << again.new_end.text();
  ASSERT_TRUE(world.runs(third));
}

void check(World& world) {
  expect_one_owner(world);
  expect_nothing_left(world);
  expect_owner_can_hand_over(world);
}

/// Runs one attempt with one event; false when the attempt ended before it.
bool meets(bool old_is_victim, std::uint64_t number, FaultPoint fault) {
  World world;
  OneEvent event(*(old_is_victim ? world.old_side : world.new_side).process, number);
  event.fault = fault;
  world.machine.set_schedule(&event);
  world.pair.begin();
  EXPECT_TRUE(world.pair.finish()) << "hangs";
  world.machine.set_schedule(nullptr);
  if (event.met) check(world);
  return event.met;
}

struct Sweep : testing::TestWithParam<bool> {};

TEST_P(Sweep, I35_I45_EachSideIsKilledAtEveryCall) {
  std::uint64_t number = 0;
  while (!HasFatalFailure() && meets(GetParam(), number, FaultPoint::none)) {
    SCOPED_TRACE("killed at its call " + std::to_string(number));
    ++number;
  }
  EXPECT_GT(number, 15u);
}

TEST_P(Sweep, I42_I43_EveryCallFailsInEveryWay) {
  bool more = true;
  for (std::uint64_t number = 0; more && !HasFailure(); ++number) {
    World probe;
    OneEvent event(*(GetParam() ? probe.old_side : probe.new_side).process, number);
    event.fault = FaultPoint::read_eio;  // of a call that is none: shows which one it would be
    probe.machine.set_schedule(&event);
    probe.pair.begin();
    (void)probe.pair.finish();
    probe.machine.set_schedule(nullptr);
    more = event.met;
    for (const machine::FaultRule& rule : machine::fault_table()) {
      if (!more || rule.call != event.call) continue;
      SCOPED_TRACE("call " + std::to_string(number) + " meets " + std::string(rule.name));
      (void)meets(GetParam(), number, rule.point);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Of, Sweep, testing::Bool(),
                         [](const auto& each) { return each.param ? "TheOldSide" : "TheNewSide"; });

}  // namespace
}  // namespace vcpr::handover
