// Modes, run states, blockers, and when a VM is ours.
#include "engine/lifecycle/life.hpp"

#include <gtest/gtest.h>

#include "engine/lifecycle/life_testing.hpp"
#include "engine/store/null_kernel.hpp"

namespace vcpr::lifecycle {
namespace {

Error reason(std::string_view text) {
  return refuse(ErrorCode::bad_state, {text}).error();
}

TEST(ModeTest, AreSpelledAsQemuSpellsThem) {
  EXPECT_EQ(name(Mode::normal), "normal");
  EXPECT_EQ(name(Mode::cpr_reboot), "cpr-reboot");
  EXPECT_EQ(name(Mode::cpr_transfer), "cpr-transfer");
  EXPECT_EQ(name(Mode::cpr_exec), "cpr-exec");
}

TEST(RunStateTest, EachHasTheNameByWhichItIsFound) {
  for (RunState each : {RunState::prelaunch, RunState::running, RunState::suspended, RunState::paused,
                        RunState::inmigrate, RunState::finish_migrate, RunState::postmigrate}) {
    EXPECT_EQ(run_state_named(name(each)), each) << name(each);
  }
  EXPECT_EQ(name(RunState::finish_migrate), "finish-migrate");
  EXPECT_EQ(run_state_named("finish_migrate"), std::nullopt);
  EXPECT_EQ(run_state_named(""), std::nullopt);
}

TEST(BlockersTest, TheOldestReasonOfTheModeIsTheAnswer) {
  Blockers blockers;
  auto ram = blockers.add(kTransferAndExec, reason("block \"ram\" is private"));
  auto device = blockers.add({Mode::cpr_exec, Mode::cpr_reboot}, reason("device 1"));
  ASSERT_TRUE(ram && device);
  EXPECT_EQ(blockers.check(Mode::cpr_transfer).error().text, "block \"ram\" is private");
  EXPECT_EQ(blockers.check(Mode::cpr_exec).error().text, "block \"ram\" is private");
  EXPECT_EQ(blockers.check(Mode::cpr_reboot).error().text, "device 1");
  EXPECT_TRUE(blockers.check(Mode::normal));
  blockers.remove(*ram);
  EXPECT_EQ(*ram, 0u);
  EXPECT_TRUE(blockers.check(Mode::cpr_transfer));
  EXPECT_EQ(blockers.check(Mode::cpr_exec).error().text, "device 1");
  blockers.remove(*ram);
  EXPECT_EQ(blockers.size(), 1u);
}

TEST(BlockersTest, AnAttemptUnderWayCannotBeBlockedAnyMore) {
  Blockers blockers;
  auto early = blockers.add(kTransferAndExec, reason("early"));
  blockers.set_busy(true);
  auto late = blockers.add(kTransferAndExec, reason("device 2"));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::bad_state);
  EXPECT_NE(late.error().text.find("device 2"), std::string::npos);
  blockers.remove(*early);
  EXPECT_TRUE(blockers.check(Mode::cpr_transfer)) << "an unplug is allowed";
  blockers.set_busy(false);
  EXPECT_TRUE(blockers.add(kTransferAndExec, reason("device 2")));
}

TEST(LifeTest, NothingTouchesDevicesThatAreAnotherProcesss) {
  store::NullKernel kernel;
  TestLife vm(kernel);
  for (RunState ours : {RunState::prelaunch, RunState::running, RunState::suspended, RunState::paused}) {
    vm.life.run_state = ours;
    EXPECT_TRUE(vm.life.check_ours("reset of device 0")) << name(ours);
  }
  for (RunState theirs : {RunState::inmigrate, RunState::finish_migrate, RunState::postmigrate}) {
    vm.life.run_state = theirs;
    auto refused = vm.life.check_ours("reset of device 0");
    ASSERT_FALSE(refused) << name(theirs);
    EXPECT_EQ(refused.error().code, ErrorCode::bad_state);
    EXPECT_TRUE(refused.error().text.starts_with("reset of device 0: ")) << refused.error().text;
  }
}

TEST(LifeTest, AVmThatIsBuiltFromWhatAnotherLeftIsNotOursYet) {
  store::NullKernel kernel;
  TestLife vm(kernel, Incoming::exec);
  EXPECT_FALSE(vm.life.check_ours("reset of device 0"));
  vm.life.incoming = Incoming::none;
  EXPECT_TRUE(vm.life.check_ours("reset of device 0"));
}

}  // namespace
}  // namespace vcpr::lifecycle
