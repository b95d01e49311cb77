// Attempts between two VMs without devices, on the simulated machine: what happens in which order, what a refusal
// leaves behind, and how everything is taken back.
#include <algorithm>
#include <gtest/gtest.h>

#include "engine/handover/main_channel.hpp"
#include "engine/handover/pair_testing.hpp"
#include "engine/handover/socket.hpp"
#include "engine/vmstate/sections/iommufd.hpp"

namespace vcpr::handover {
namespace {

using lifecycle::Incoming;
using lifecycle::Mode;
using lifecycle::RunState;
using machine::Machine;
using machine::Truth;
using os::Errno;

/// Notes every step, and fails where it is told to.
class NotedParticipant final : public lifecycle::Participant {
 public:
  NotedParticipant(std::vector<std::string>& log, std::string name) : log_(log), name_(std::move(name)) {}
  std::string what() const override { return name_; }
  Expected<void> let_go(Mode) override { return note("lets go", fails_to_let_go); }
  Expected<void> take_back() override {
    if (busy > 0) {
      --busy;
      return refuse_os(Errno::ebusy, {"KVM_IRQFD of vector 3"});
    }
    if (failures > 0) {
      --failures;
      return refuse_os(Errno::enomem, {"MAP_DMA"});
    }
    return note("takes back", false);
  }
  void done() override { (void)note("done", false); }
  Expected<void> check_loaded() override { return note("checks", fails_to_check); }
  Expected<void> take_over() override { return note("takes over", fails_to_take_over); }
  void give_up() override { (void)note("gives up", false); }

  bool fails_to_let_go = false;
  bool fails_to_check = false;
  bool fails_to_take_over = false;
  int busy = 0;
  int failures = 0;

 private:
  Expected<void> note(std::string_view what, bool fails) {
    log_.push_back(name_ + " " + std::string(what));
    if (fails) return refuse(ErrorCode::bad_value, {"told to fail"});
    return {};
  }

  std::vector<std::string>& log_;
  std::string name_;
};

using Log = std::vector<std::string>;

vm::Config small() {
  vm::Config config;
  config.kvm = false;
  config.ram = {{.name = "ram0", .size = 1 << 20, .address = 0}};
  return config;
}

struct AttemptTest : testing::Test {
  AttemptTest() {
    EXPECT_TRUE(old_side.build(small()));
    EXPECT_TRUE(old_side.vm->start());
    for (auto [participant, rank] :
         {std::pair{&old_irqs, lifecycle::Rank::devices}, {&old_pages, lifecycle::Rank::addresses}}) {
      old_side.vm->life().participants.add(*participant, rank, lifecycle::kTransferAndExec);
    }
    old_side.vcpus.on_pause = [this] { log.emplace_back("old pauses"); };
    old_side.vcpus.on_resume = [this] { log.emplace_back("old runs"); };
    new_side.vcpus.on_resume = [this] { log.emplace_back("new runs"); };
    pair.on_built = [this](vm::VirtualMachine& vm) {
      vm.life().participants.add(new_irqs, lifecycle::Rank::devices, lifecycle::kTransferAndExec);
      vm.life().participants.add(new_pages, lifecycle::Rank::addresses, lifecycle::kTransferAndExec);
    };
    log.clear();
  }

  /// The old VM runs as if nothing had been, and nothing of the attempt is left.
  void expect_as_before() {
    EXPECT_EQ(old_side.run_state(), RunState::running);
    EXPECT_TRUE(old_side.vcpus.running);
    EXPECT_FALSE(new_side.vcpus.running);
    EXPECT_FALSE(old_side.vm->life().blockers.is_busy());
    EXPECT_EQ(truth.descriptors_open(*old_side.process), 1u) << "the memory's";
    EXPECT_EQ(pair.source().phase(), Phase::failed);
    pair.drop_target();
    new_side.vm.reset();
    EXPECT_EQ(truth.descriptors_open(*new_side.process), 0u);
    EXPECT_EQ(truth.descriptors_in_flight(), 0u);
    EXPECT_EQ(truth.bad_closes(), 0u);
    EXPECT_EQ(new_side.kernel->unlink(kMainSocket), std::unexpected(Errno::enoent));
    EXPECT_EQ(new_side.kernel->unlink(kCprSocket), std::unexpected(Errno::enoent));
  }
  /// Whatever failed before, the next attempt works.
  void expect_second_attempt_works() {
    pair.begin();
    ASSERT_TRUE(pair.finish());
    ASSERT_TRUE(pair.old_end.done) << pair.old_end.text();
    ASSERT_TRUE(pair.new_end.done) << pair.new_end.text();
    EXPECT_EQ(old_side.run_state(), RunState::postmigrate);
    EXPECT_EQ(new_side.run_state(), RunState::running);
  }

  Machine machine;
  Truth truth{machine};
  Log log;
  NotedParticipant old_irqs{log, "old irqs"};
  NotedParticipant old_pages{log, "old pages"};
  NotedParticipant new_irqs{log, "new irqs"};
  NotedParticipant new_pages{log, "new pages"};
  Side old_side{machine.spawn()};
  Side new_side{machine.spawn()};
  Pair pair{machine, old_side, new_side, small()};
};

// The way of a transfer

TEST_F(AttemptTest, StopsBeforeAnythingIsLetGoAndRunsAfterEverythingIsTakenOver) {
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_TRUE(pair.old_end.done) << pair.old_end.text();
  EXPECT_TRUE(pair.new_end.done) << pair.new_end.text();
  EXPECT_EQ(log, (Log{"old pauses", "old irqs lets go", "old pages lets go", "new pages checks", "new irqs checks",
                      "new pages takes over", "new irqs takes over", "old irqs done", "old pages done", "new runs"}));
}

TEST_F(AttemptTest, I35_AtMostOneOfBothRuns) {
  pair.begin();
  while (!(pair.old_end.is_over() && pair.new_end.is_over())) {
    pair.step_old();
    ASSERT_FALSE(old_side.vcpus.running && new_side.vcpus.running);
    pair.step_new();
    ASSERT_FALSE(old_side.vcpus.running && new_side.vcpus.running);
    machine.advance_time(1);
  }
  EXPECT_FALSE(old_side.vcpus.running);
  EXPECT_TRUE(new_side.vcpus.running);
}

TEST_F(AttemptTest, TheMemoryIsTheSameFile) {
  int before = old_side.vm->ram().find("ram0")->fd;
  std::uint32_t file = truth.description_of(*old_side.process, before);
  pair.begin();
  ASSERT_TRUE(pair.finish());
  ASSERT_TRUE(pair.new_end.done) << pair.new_end.text();
  EXPECT_EQ(truth.description_of(*new_side.process, new_side.vm->ram().find("ram0")->fd), file);
}

TEST_F(AttemptTest, W9_TheNewSideIsNoLongerIncomingWhenItsFirstVcpuRuns) {
  std::optional<Incoming> seen;
  new_side.vcpus.on_resume = [&] { seen = new_side.vm->life().incoming; };
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(seen, Incoming::none);
}

struct RunStates : AttemptTest, testing::WithParamInterface<RunState> {};

TEST_P(RunStates, I36_ArriveAsTheyWere) {
  if (GetParam() == RunState::paused) {
    ASSERT_TRUE(old_side.vm->pause());
  } else if (GetParam() == RunState::suspended) {
    ASSERT_TRUE(old_side.vm->suspend());
  }
  pair.begin();
  ASSERT_TRUE(pair.finish());
  ASSERT_TRUE(pair.new_end.done) << pair.new_end.text();
  EXPECT_EQ(new_side.run_state(), GetParam());
  EXPECT_EQ(new_side.vcpus.running, lifecycle::is_live(GetParam()));
}
INSTANTIATE_TEST_SUITE_P(All, RunStates, testing::Values(RunState::running, RunState::paused, RunState::suspended),
                         [](const auto& each) { return std::string(lifecycle::name(each.param)); });

TEST_F(AttemptTest, AGuestThatWasPausedInItsSleepSleepsOnWhenItIsStarted) {
  ASSERT_TRUE(old_side.vm->suspend());
  ASSERT_TRUE(old_side.vm->pause());
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(new_side.run_state(), RunState::paused);
  ASSERT_TRUE(new_side.vm->start());
  EXPECT_EQ(new_side.run_state(), RunState::suspended);
}

TEST_F(AttemptTest, ABuiltVmThatNeverRanArrivesSo) {
  Side other{machine.spawn()};
  ASSERT_TRUE(other.build(small()));
  Pair another(machine, other, new_side, small());
  another.begin();
  ASSERT_TRUE(another.finish());
  EXPECT_EQ(new_side.run_state(), RunState::prelaunch);
  EXPECT_EQ(new_side.vcpus.resumed, 0);
}

TEST_F(AttemptTest, W3_I46_AVmThatWasGivenAwayAnswersEveryRequestWithAnError) {
  pair.begin();
  ASSERT_TRUE(pair.finish());
  vm::VirtualMachine& gone = *old_side.vm;
  EXPECT_EQ(gone.start().error().code, ErrorCode::bad_state);
  EXPECT_EQ(gone.pause().error().code, ErrorCode::bad_state);
  EXPECT_EQ(gone.suspend().error().code, ErrorCode::bad_state);
  EXPECT_EQ(gone.wake_up().error().code, ErrorCode::bad_state);
  EXPECT_EQ(gone.reset().error().code, ErrorCode::bad_state);
  EXPECT_EQ(gone.plug({}).error().code, ErrorCode::bad_state);
  EXPECT_EQ(gone.unplug("ram0").error().code, ErrorCode::bad_state);
  EXPECT_EQ(gone.plug_ram({}).error().code, ErrorCode::bad_state);
  EXPECT_EQ(gone.unplug_ram("ram0").error().code, ErrorCode::bad_state);
  pair.begin();
  pair.step_old();
  EXPECT_EQ(pair.old_end.error->code, ErrorCode::bad_state);
  EXPECT_EQ(gone.life().run_state, RunState::postmigrate) << "an attempt that was refused changes nothing";
}

TEST_F(AttemptTest, W19_RequestsAreRefusedWhileTheVmIsStoppedForAHandoverAndBeforeItHasArrived) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(Phase::waiting_for_answer));
  EXPECT_EQ(old_side.vm->reset().error().code, ErrorCode::bad_state);
  EXPECT_EQ(old_side.vm->start().error().code, ErrorCode::bad_state);
  EXPECT_EQ(new_side.vm->reset().error().code, ErrorCode::bad_state);
  EXPECT_EQ(new_side.vm->start().error().code, ErrorCode::bad_state);
  EXPECT_EQ(new_side.vm->unplug_ram("ram0").error().code, ErrorCode::bad_state);
}

TEST_F(AttemptTest, ASectionOfTheEmbedderTravelsToo) {
  vmstate::IommufdSection old_section;
  vmstate::IommufdSection new_section;
  ASSERT_TRUE(old_side.vm->life().sections.add("cpu", 0, vmstate::kIommufd, old_section));
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.new_end.error->code, ErrorCode::unknown_section);
  auto built = std::exchange(pair.on_built, nullptr);
  pair.on_built = [&](vm::VirtualMachine& vm) {
    EXPECT_TRUE(vm.life().sections.add("cpu", 0, vmstate::kIommufd, new_section));
    built(vm);
  };
  expect_second_attempt_works();
}

TEST_F(AttemptTest, AChainOfHandoversPassesTheVmOn) {
  pair.begin();
  ASSERT_TRUE(pair.finish());
  std::vector<std::unique_ptr<Side>> sides;
  Side* owner = &new_side;
  for (int hop = 0; hop < 3; ++hop) {
    Side& next = *sides.emplace_back(std::make_unique<Side>(machine.spawn()));
    Pair another(machine, *owner, next, small());
    another.begin();
    ASSERT_TRUE(another.finish());
    ASSERT_TRUE(another.new_end.done) << another.new_end.text();
    owner = &next;
  }
  EXPECT_EQ(owner->run_state(), RunState::running);
}

// The table must not change behind the target's back

TEST_F(AttemptTest, W1_W2_W3_ATableThatChangedWhileTheGuestRanEndsTheAttempt) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(Phase::waiting_for_target));
  ASSERT_TRUE(old_side.vm->plug_ram({.name = "dimm1", .size = 4096, .address = 1 << 20}));
  ASSERT_TRUE(pair.finish());
  ASSERT_TRUE(pair.old_end.error);
  EXPECT_EQ(pair.old_end.error->code, ErrorCode::bad_state);
  EXPECT_NE(pair.old_end.error->text.find("table has changed"), std::string::npos) << pair.old_end.text();
  EXPECT_EQ(log, (Log{"old pauses", "old runs"}));
  ASSERT_TRUE(old_side.vm->unplug_ram("dimm1"));
  expect_as_before();
  expect_second_attempt_works();
}

TEST_F(AttemptTest, W1_WithTheGuestStoppedFirstNothingCanChange) {
  SourceOptions options = transfer_source();
  options.stop_first = true;
  pair.begin(options);
  ASSERT_TRUE(pair.run_to(Phase::waiting_for_target));
  EXPECT_FALSE(old_side.vcpus.running);
  EXPECT_FALSE(old_side.vm->plug_ram({.name = "dimm1", .size = 4096, .address = 1 << 20}));
  ASSERT_TRUE(pair.finish());
  EXPECT_TRUE(pair.old_end.done) << pair.old_end.text();
  EXPECT_TRUE(new_side.vcpus.running);
}

TEST_F(AttemptTest, ABlockerRefusesWithItsReasonAndNoneIsAddedDuringAnAttempt) {
  auto& blockers = old_side.vm->life().blockers;
  auto blocker = blockers.add(lifecycle::kTransferAndExec, refuse(ErrorCode::bad_state, {"mdev"}).error());
  pair.begin();
  pair.step_old();
  EXPECT_EQ(pair.old_end.text(), "bad_state: mdev");
  EXPECT_EQ(pair.source().roll_back(), RollBack::not_needed);
  blockers.remove(*blocker);
  pair.begin();
  ASSERT_TRUE(pair.run_to(Phase::waiting_for_target));
  EXPECT_FALSE(blockers.add(lifecycle::kTransferAndExec, refuse(ErrorCode::bad_state, {"late"}).error()));
  ASSERT_TRUE(pair.finish());
  EXPECT_TRUE(pair.old_end.done);
}

TEST_F(AttemptTest, OneAttemptAtATime) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(Phase::waiting_for_answer));
  Source second(*old_side.vm, transfer_source());
  EXPECT_EQ(second.advance().error().code, ErrorCode::bad_state);
  ASSERT_TRUE(pair.finish());
  EXPECT_TRUE(pair.old_end.done) << "the first is not disturbed";
}

// Refusals by the new side

TEST_F(AttemptTest, I41_I44_ARefusalIsHeardAndTheOldVmRunsOnOnlyAfterEverythingIsTakenBack) {
  new_irqs.fails_to_check = true;
  pair.begin();
  ASSERT_TRUE(pair.finish());
  ASSERT_TRUE(pair.old_end.error);
  EXPECT_EQ(pair.old_end.text(), "peer_closed: the target refused the VM: bad_value: new irqs: told to fail");
  EXPECT_EQ(log, (Log{"old pauses", "old irqs lets go", "old pages lets go", "new pages checks", "new irqs checks",
                      "old pages takes back", "old irqs takes back", "old runs"}));
  expect_as_before();
  new_irqs.fails_to_check = false;
  expect_second_attempt_works();
}

TEST_F(AttemptTest, ATakeOverThatFailsHalfWayIsGivenUpBackwards) {
  new_irqs.fails_to_take_over = true;
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(log, (Log{"old pauses", "old irqs lets go", "old pages lets go", "new pages checks", "new irqs checks",
                      "new pages takes over", "new irqs takes over", "new irqs gives up", "new pages gives up",
                      "old pages takes back", "old irqs takes back", "old runs"}));
  EXPECT_EQ(pair.source().roll_back(), RollBack::complete);
  expect_as_before();
  new_irqs.fails_to_take_over = false;
  expect_second_attempt_works();
}

TEST_F(AttemptTest, ASmallerNewVmIsRefused) {
  vm::Config other = small();
  other.ram.front().size = 2 << 20;
  Pair unlike(machine, old_side, new_side, other);
  unlike.begin();
  ASSERT_TRUE(unlike.finish());
  EXPECT_EQ(unlike.new_end.error->code, ErrorCode::bad_value);
  EXPECT_TRUE(unlike.old_end.error);
  EXPECT_TRUE(old_side.vcpus.running);
}

TEST_F(AttemptTest, ABlockNobodyWantsIsRefused) {
  ASSERT_TRUE(old_side.vm->plug_ram({.name = "dimm1", .size = 4096, .address = 1 << 20}));
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.new_end.error->code, ErrorCode::unclaimed);
  EXPECT_TRUE(old_side.vcpus.running);
}

TEST_F(AttemptTest, AnotherMachineTypeIsRefused) {
  vm::Config other = small();
  other.machine = "pc-q35-11.1";
  Pair unlike(machine, old_side, new_side, other);
  unlike.begin();
  ASSERT_TRUE(unlike.finish());
  EXPECT_EQ(unlike.new_end.error->code, ErrorCode::bad_value);
  EXPECT_TRUE(old_side.vcpus.running);
}

TEST_F(AttemptTest, AStaleSocketFileIsRefused) {
  os::Fd stale = *listen_at(*old_side.kernel, kMainSocket);
  stale.reset();
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.new_end.error->os, Errno::eaddrinuse);
  EXPECT_TRUE(pair.old_end.error);
  EXPECT_TRUE(old_side.kernel->unlink(kMainSocket));
  expect_as_before();
}

// Roll-back

TEST_F(AttemptTest, I47_OnlyThoseWhoLetGoTakeBack) {
  old_irqs.fails_to_let_go = true;
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.old_end.text(), "bad_value: old irqs: told to fail");
  EXPECT_EQ(log, (Log{"old pauses", "old irqs lets go", "old irqs takes back", "old runs"}));
  expect_as_before();
  old_irqs.fails_to_let_go = false;
  expect_second_attempt_works();
}

TEST_F(AttemptTest, I42_VcpusThatDoNotStopEndTheAttempt) {
  old_side.vcpus.fails_to_pause = true;
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.old_end.text(), "bad_state: vCPU 0 does not stop");
  old_side.vcpus.fails_to_pause = false;
  expect_as_before();
  expect_second_attempt_works();
}

TEST_F(AttemptTest, W11_I45_WhileThePeerHoldsWhatOnlyOneCanHaveTheOldVmStaysPausedAndSaysSo) {
  old_irqs.busy = 3;
  new_pages.fails_to_check = true;
  pair.begin();
  for (int turn = 0; turn < 100 && !pair.source().obstacle(); ++turn) pair.step();
  while (pair.source().obstacle() && pair.source().obstacle()->os != Errno::ebusy) pair.step();
  ASSERT_TRUE(pair.source().obstacle());
  EXPECT_EQ(pair.source().obstacle()->message(), "os_error: old irqs: KVM_IRQFD of vector 3 (EBUSY)");
  EXPECT_EQ(pair.source().roll_back(), RollBack::waiting_for_peer);
  EXPECT_EQ(pair.source().phase(), Phase::rolling_back);
  EXPECT_FALSE(old_side.vcpus.running);
  EXPECT_EQ(old_side.run_state(), RunState::finish_migrate);
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.source().roll_back(), RollBack::complete);
  EXPECT_FALSE(pair.source().obstacle());
  EXPECT_EQ(std::ranges::count(log, "old pages takes back"), 1) << "who has taken back is not asked again";
  expect_as_before();
  new_pages.fails_to_check = false;
  expect_second_attempt_works();
}

TEST_F(AttemptTest, I43_AFailureThatPassesIsTriedAgain) {
  old_pages.failures = 2;
  new_pages.fails_to_check = true;
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.source().roll_back(), RollBack::complete);
  expect_as_before();
}

TEST_F(AttemptTest, I43_AFailureThatStaysLeavesThePausedVmToItsManagement) {
  old_pages.failures = 1000;
  new_pages.fails_to_check = true;
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.source().roll_back(), RollBack::incomplete);
  EXPECT_NE(pair.old_end.text().find("MAP_DMA"), std::string::npos) << pair.old_end.text();
  EXPECT_EQ(old_side.run_state(), RunState::paused);
  EXPECT_EQ(std::ranges::count(log, "old irqs takes back"), 1) << "the others have";
  EXPECT_FALSE(old_side.vm->start());
  EXPECT_FALSE(old_side.vcpus.running);
  old_pages.failures = 0;
  ASSERT_TRUE(old_side.vm->start());
  expect_as_before();
}

TEST_F(AttemptTest, I43_VcpusThatDoNotStartAreAskedAgain) {
  old_side.vcpus.resume_failures = 3;
  new_pages.fails_to_check = true;
  pair.begin();
  ASSERT_TRUE(pair.finish());
  expect_as_before();
}

TEST_F(AttemptTest, AnErrorIsReportedOnce) {
  new_pages.fails_to_check = true;
  pair.begin();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.source().advance().error().code, ErrorCode::bad_state);
  EXPECT_EQ(pair.target().advance().error().code, ErrorCode::bad_state);
  expect_as_before();
}

// Cancelling

TEST_F(AttemptTest, I42_TheSourceCanBeCancelledInEveryPhase) {
  for (Phase phase : {Phase::checking, Phase::sending_table, Phase::waiting_for_target, Phase::connecting,
                      Phase::stopping, Phase::saving, Phase::sending_state, Phase::waiting_for_answer}) {
    SCOPED_TRACE(name(phase));
    pair.begin();
    for (int turn = 0; turn < 100 && pair.source().phase() < phase; ++turn) pair.step();
    pair.source().cancel();
    pair.source().cancel();
    ASSERT_TRUE(pair.finish());
    ASSERT_TRUE(pair.old_end.error) << "cancelled in " << name(pair.source().phase());
    EXPECT_NE(pair.old_end.text().find("cancelled"), std::string::npos);
    expect_as_before();
  }
  expect_second_attempt_works();
}

TEST_F(AttemptTest, TheTargetCanBeCancelledInEveryStep) {
  for (TargetStep step : {TargetStep::receiving_table, TargetStep::building, TargetStep::listening,
                          TargetStep::receiving_state, TargetStep::waiting_for_word}) {
    SCOPED_TRACE(name(step));
    pair.begin();
    for (int turn = 0; turn < 100 && pair.target().step() < step; ++turn) {
      pair.step_new();
      if (pair.target().step() < step) pair.step_old();
    }
    pair.target().cancel();
    pair.target().cancel();
    ASSERT_TRUE(pair.finish());
    EXPECT_TRUE(pair.old_end.error);
    expect_as_before();
  }
  expect_second_attempt_works();
}

TEST_F(AttemptTest, ATargetThatIsCancelledAfterTheLastWordHasTheVm) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(TargetStep::waiting_for_word));
  pair.step_old();
  ASSERT_TRUE(pair.old_end.done) << pair.old_end.text();
  pair.target().cancel();
  EXPECT_EQ(pair.target().step(), TargetStep::done);
  EXPECT_TRUE(new_side.vcpus.running);
}

TEST_F(AttemptTest, I45_AnAbortTellsTheTargetThatHasLoadedToLetGo) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(TargetStep::waiting_for_word));
  pair.source().cancel();
  pair.step_old();
  EXPECT_FALSE(old_side.vcpus.running) << "the target still has everything";
  EXPECT_EQ(pair.source().roll_back(), RollBack::waiting_for_peer);
  log.clear();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(
      log, (Log{"new irqs gives up", "new pages gives up", "old pages takes back", "old irqs takes back", "old runs"}));
  expect_as_before();
}

TEST_F(AttemptTest, I45_ATargetThatHasNotYetLoadedNeverTakesOver) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(Phase::waiting_for_answer));
  pair.source().cancel();
  pair.step_old();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(std::ranges::count(log, "new irqs takes over"), 0);
  expect_as_before();
}

TEST_F(AttemptTest, ATargetThatHearsNoLastWordGivesUpInTheEnd) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(TargetStep::waiting_for_word));
  machine.advance_time(Timeouts{}.hang_up.nanoseconds);
  pair.step_new();
  ASSERT_TRUE(pair.new_end.error);
  EXPECT_EQ(pair.new_end.error->code, ErrorCode::timed_out);
  ASSERT_TRUE(pair.finish());
  EXPECT_TRUE(pair.old_end.error) << "go is not said to a target that has given up";
  expect_as_before();
}

TEST_F(AttemptTest, ASourceThatIsDroppedInTheMiddleLeavesOneOwner) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(TargetStep::waiting_for_word));
  pair.drop_source();
  EXPECT_EQ(old_side.run_state(), RunState::paused);
  while (!pair.new_end.is_over()) pair.step_new();
  EXPECT_EQ(pair.new_end.error->code, ErrorCode::peer_closed);
  ASSERT_TRUE(old_side.vm->start());
  EXPECT_TRUE(old_side.vcpus.running);
  EXPECT_FALSE(new_side.vcpus.running);
}

// A peer that does not know the answer: QEMU

TEST_F(AttemptTest, APlainStreamIsDoneWhenItIsSentAndRunsWhenItHasEnded) {
  SourceOptions options = transfer_source();
  options.want_answer = false;
  pair.begin(options);
  while (!pair.old_end.is_over()) pair.step();
  EXPECT_TRUE(pair.old_end.done) << pair.old_end.text();
  ASSERT_TRUE(pair.finish());
  EXPECT_TRUE(pair.new_end.done) << pair.new_end.text();
  EXPECT_TRUE(new_side.vcpus.running);
}

TEST_F(AttemptTest, I41_AStreamOfAStrangerIsRefusedWithoutEffect) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(TargetStep::listening));
  pair.step_new();
  pair.source().cancel();
  pair.step_old();
  Side stranger(machine.spawn());
  os::Fd socket = *make_socket(*stranger.kernel, kMainSocket);
  ASSERT_TRUE(stranger.kernel->connect(socket.number(), kMainSocket));
  wire::Outbox frame;
  wire::Writer writer(frame);
  open_frame(writer);
  writer.be32(0xdeadbeef);
  close_frame(frame.bytes);
  ASSERT_TRUE(stranger.kernel->sendmsg(socket.number(), frame.bytes, {}, 0));
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.new_end.error->code, ErrorCode::bad_magic) << pair.new_end.text();
  EXPECT_EQ(std::ranges::count(log, "new pages checks"), 0);
  std::vector<std::byte> heard;
  ASSERT_TRUE(receive_some(*stranger.kernel, socket.number(), heard, 4096));
  EXPECT_EQ((*read_reply(heard))->answer, Answer::refused);
  socket.reset();
  expect_as_before();
}

// Reboot

TEST_F(AttemptTest, ARebootCarriesTheMemorysPagesToAFreshVm) {
  const memory::RamBlock& block = *old_side.vm->ram().find("ram0");
  const std::vector<std::byte> page(4096, std::byte{0x5a});
  ASSERT_TRUE(old_side.kernel->pwrite(block.fd, page, 3 * 4096));
  ASSERT_TRUE(old_side.vm->suspend());
  int file = old_side.kernel->memfd_create("saved", 0).value_or(-1);
  SourceOptions options;
  options.mode = Mode::cpr_reboot;
  options.main_file = file;
  Source source(*old_side.vm, options);
  Expected<Advance> saved = source.advance();
  ASSERT_TRUE(saved && saved->done) << saved.error().message();
  EXPECT_EQ(old_side.run_state(), RunState::postmigrate);

  Side next(machine.fork(*old_side.process));
  ASSERT_TRUE(next.build(small()));
  TargetOptions taken;
  taken.mode = Mode::cpr_reboot;
  taken.main_file = file;
  Target target(*next.kernel, taken);
  ASSERT_TRUE(target.advance()->done);
  EXPECT_FALSE(target.take_arrival()->has_value());
  ASSERT_TRUE(target.attach(*next.vm));
  Expected<Advance> loaded = target.advance();
  ASSERT_TRUE(loaded && loaded->done) << loaded.error().message();
  EXPECT_EQ(next.run_state(), RunState::suspended);
  std::vector<std::byte> read(4096);
  ASSERT_TRUE(next.kernel->pread(next.vm->ram().find("ram0")->fd, read, 3 * 4096));
  EXPECT_EQ(read, page);
}

TEST_F(AttemptTest, ARebootOfPrivateMemoryIsRefusedAndTheVmRunsOn) {
  ASSERT_TRUE(
      old_side.vm->plug_ram({.name = "own", .size = 4096, .address = 1 << 20, .backing = memory::Backing::anonymous}));
  SourceOptions options;
  options.mode = Mode::cpr_reboot;
  options.main_file = old_side.kernel->memfd_create("saved", 0).value_or(-1);
  Source source(*old_side.vm, options);
  Expected<Advance> saved = source.advance();
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::bad_state) << saved.error().message();
  EXPECT_EQ(old_side.run_state(), RunState::running);
  EXPECT_TRUE(old_side.vcpus.running);
}

// Death

TEST_F(AttemptTest, ATargetThatDiesAfterTheTableLeavesTheOldVmRunning) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(TargetStep::listening));
  new_side.process->kill();
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.old_end.error->code, ErrorCode::os_error) << pair.old_end.text();
  EXPECT_TRUE(log.empty()) << "it was never stopped";
  EXPECT_TRUE(old_side.vcpus.running);
}

TEST_F(AttemptTest, I45_ASourceThatDiesWithoutAWordHasGivenTheVmAway) {
  pair.begin();
  ASSERT_TRUE(pair.run_to(Phase::waiting_for_answer));
  old_side.process->kill();
  old_side.vcpus.running = false;
  ASSERT_TRUE(pair.finish());
  EXPECT_TRUE(pair.new_end.done) << pair.new_end.text();
  EXPECT_TRUE(new_side.vcpus.running);
}

}  // namespace
}  // namespace vcpr::handover
