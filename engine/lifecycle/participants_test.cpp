// Who is asked what, in which order, whoever fails.
#include "engine/lifecycle/participants.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vcpr::lifecycle {
namespace {

using Calls = std::vector<std::string>;

/// Notes what it is asked, and refuses what `refused` names.
struct Noting : Participant {
  Noting(std::string given, Calls& noted) : own(std::move(given)), calls(noted) {}

  std::string own;
  Calls& calls;
  std::set<std::string> refused;
  std::function<void(const std::string& step)> during = [](const std::string&) {};

  Expected<void> note(const std::string& step) {
    // `during` may destroy this participant.
    bool refuses = refused.contains(step);
    calls.push_back(step + " " + own);
    during(step);
    if (refuses) return refuse(ErrorCode::os_error, {"cannot"});
    return {};
  }
  std::string what() const override { return own; }
  Expected<void> let_go(Mode) override { return note("let_go"); }
  Expected<void> take_back() override { return note("take_back"); }
  void done() override { (void)note("done"); }
  Expected<void> check_loaded() override { return note("check_loaded"); }
  Expected<void> take_over() override { return note("take_over"); }
  void give_up() override { (void)note("give_up"); }
};

/// "step NAME" of each.
Calls all(const std::string& step, const std::vector<std::string>& names) {
  Calls calls;
  for (const std::string& name : names) calls.push_back(step + " " + name);
  return calls;
}

std::vector<std::string> reversed(std::vector<std::string> names) {
  return {names.rbegin(), names.rend()};
}

struct ParticipantsTest : testing::Test {
  Calls calls;
  Participants participants;
  // By rank, then in order of addition: chip, bar, first, second.
  Noting second{"second", calls}, bar{"bar", calls}, chip{"chip", calls}, first{"first", calls};
  const std::vector<std::string> names = {"chip", "bar", "first", "second"};
  const std::vector<Noting*> members = {&chip, &bar, &first, &second};

  void SetUp() override {
    participants.add(first, Rank::devices, kTransferAndExec);
    participants.add(bar, Rank::memory_map, kTransferAndExec);
    participants.add(second, Rank::devices, kTransferAndExec);
    participants.add(chip, Rank::interrupt_controller, kTransferAndExec);
  }
  Calls taken() { return std::exchange(calls, {}); }
  std::vector<std::string> up_to(std::size_t last) const { return {names.data(), names.data() + last + 1}; }
  std::vector<std::string> from(std::size_t begin) const { return {names.data() + begin, names.data() + names.size()}; }
};

TEST_F(ParticipantsTest, TheOldSideLetsGoLastRankFirstAndTakesBackExactlyBackwards) {
  EXPECT_TRUE(participants.let_go(Mode::cpr_transfer));
  EXPECT_EQ(taken(), all("let_go", reversed(names)));
  EXPECT_TRUE(participants.take_back());
  EXPECT_EQ(taken(), all("take_back", names));
  EXPECT_TRUE(participants.take_back());
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(ParticipantsTest, TheNewSideTakesOverFirstRankFirstAndGivesUpExactlyBackwards) {
  EXPECT_TRUE(participants.check_loaded(Mode::cpr_exec));
  EXPECT_EQ(taken(), all("check_loaded", names));
  EXPECT_TRUE(participants.take_over(Mode::cpr_exec));
  EXPECT_EQ(taken(), all("take_over", names));
  participants.give_up();
  EXPECT_EQ(taken(), all("give_up", reversed(names)));
  participants.give_up();
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(ParticipantsTest, DoneGoesToWhoLetGoAndEndsTheAttempt) {
  ASSERT_TRUE(participants.let_go(Mode::cpr_transfer));
  taken();
  participants.done();
  EXPECT_EQ(taken(), all("done", reversed(names)));
  EXPECT_TRUE(participants.take_back());
  participants.done();
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(ParticipantsTest, WhoeverFailsToLetGoIsTheFirstToTakeBack) {
  for (std::size_t failing = 0; failing < names.size(); ++failing) {
    SCOPED_TRACE(names[failing]);
    members[failing]->refused = {"let_go"};
    auto refused = participants.let_go(Mode::cpr_transfer);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text, names[failing] + ": cannot");
    EXPECT_EQ(taken(), all("let_go", reversed(from(failing))));
    EXPECT_TRUE(participants.take_back());
    EXPECT_EQ(taken(), all("take_back", from(failing)));
    members[failing]->refused.clear();
  }
}

TEST_F(ParticipantsTest, WhoeverFailsToTakeOverIsTheFirstToGiveUp) {
  for (std::size_t failing = 0; failing < names.size(); ++failing) {
    SCOPED_TRACE(names[failing]);
    members[failing]->refused = {"take_over"};
    auto refused = participants.take_over(Mode::cpr_transfer);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text, names[failing] + ": cannot");
    EXPECT_EQ(taken(), all("take_over", up_to(failing)));
    participants.give_up();
    EXPECT_EQ(taken(), all("give_up", reversed(up_to(failing))));
    members[failing]->refused.clear();
  }
}

TEST_F(ParticipantsTest, ACheckStopsAtTheFirstThatDoesNotFitAndNothingIsToBeUndone) {
  for (std::size_t failing = 0; failing < names.size(); ++failing) {
    SCOPED_TRACE(names[failing]);
    members[failing]->refused = {"check_loaded"};
    EXPECT_FALSE(participants.check_loaded(Mode::cpr_transfer));
    EXPECT_EQ(taken(), all("check_loaded", up_to(failing)));
    participants.give_up();
    EXPECT_EQ(taken(), Calls{});
    members[failing]->refused.clear();
  }
}

TEST_F(ParticipantsTest, AFailureToTakeBackStopsNobodyAndOnlyThatOneIsAskedAgain) {
  for (unsigned failing = 1; failing < 1U << 4; ++failing) {
    SCOPED_TRACE(failing);
    std::vector<std::string> failed;
    for (std::size_t index = 0; index < members.size(); ++index) {
      if ((failing & 1U << index) == 0) continue;
      members[index]->refused = {"take_back"};
      failed.push_back(names[index]);
    }
    ASSERT_TRUE(participants.let_go(Mode::cpr_transfer));
    taken();
    for (const auto& asked : {names, failed, failed}) {
      auto refused = participants.take_back();
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().text, failed.front() + ": cannot");
      EXPECT_EQ(taken(), all("take_back", asked));
    }
    for (Noting* member : members) member->refused.clear();
    EXPECT_TRUE(participants.take_back());
    EXPECT_EQ(taken(), all("take_back", failed));
  }
}

TEST_F(ParticipantsTest, NoAttemptBeginsBeforeTheLastWasUndone) {
  bar.refused = {"take_back"};
  ASSERT_TRUE(participants.let_go(Mode::cpr_transfer));
  EXPECT_FALSE(participants.take_back());
  taken();
  auto refused = participants.let_go(Mode::cpr_transfer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::bad_state);
  EXPECT_EQ(refused.error().text, "bar: has not taken back yet");
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(ParticipantsTest, NoLoadBeginsBeforeTheLastWasGivenUp) {
  ASSERT_TRUE(participants.take_over(Mode::cpr_transfer));
  taken();
  auto refused = participants.take_over(Mode::cpr_transfer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::bad_state);
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(ParticipantsTest, AVmThatArrivedAndIsHandedOnHasNothingToGiveUp) {
  for (Mode mode : {Mode::cpr_exec, Mode::cpr_reboot}) {
    ASSERT_TRUE(participants.take_over(Mode::cpr_transfer));
    ASSERT_TRUE(participants.let_go(mode));
    taken();
    participants.give_up();
    EXPECT_EQ(taken(), Calls{}) << name(mode);
    EXPECT_TRUE(participants.take_back());
    EXPECT_EQ(taken(), mode == Mode::cpr_exec ? all("take_back", names) : Calls{});
  }
}

TEST_F(ParticipantsTest, OnlyThoseOfTheModeAreAsked) {
  Noting sleeper{"sleeper", calls};
  participants.add(sleeper, Rank::devices, {Mode::cpr_reboot});
  ASSERT_TRUE(participants.let_go(Mode::cpr_reboot));
  ASSERT_TRUE(participants.take_back());
  ASSERT_TRUE(participants.check_loaded(Mode::cpr_reboot));
  ASSERT_TRUE(participants.take_over(Mode::cpr_reboot));
  EXPECT_EQ(taken(), (Calls{"let_go sleeper", "take_back sleeper", "check_loaded sleeper", "take_over sleeper"}));
}

TEST_F(ParticipantsTest, WhoeverWasRemovedHearsNothingMoreOfTheAttempt) {
  ASSERT_TRUE(participants.let_go(Mode::cpr_transfer));
  taken();
  participants.remove(bar);
  participants.remove(bar);
  EXPECT_TRUE(participants.take_back());
  EXPECT_EQ(taken(), all("take_back", {"chip", "first", "second"}));
}

/// Takes four participants to where `step` can be asked, `before` it, and asks it.
void ask(Participants& some, const std::string& step, const std::function<void()>& before) {
  if (step == "take_back" || step == "done") (void)some.let_go(Mode::cpr_exec);
  if (step == "give_up") (void)some.take_over(Mode::cpr_exec);
  before();
  if (step == "let_go") (void)some.let_go(Mode::cpr_exec);
  if (step == "take_back") (void)some.take_back();
  if (step == "done") some.done();
  if (step == "check_loaded") (void)some.check_loaded(Mode::cpr_exec);
  if (step == "take_over") (void)some.take_over(Mode::cpr_exec);
  if (step == "give_up") some.give_up();
}

/// What four hear of a step in which one removes another, or itself, when it is asked.
Calls heard_when_one_leaves(const std::string& step, std::size_t remover, std::size_t removed) {
  Calls heard;
  Participants some;
  std::vector<std::unique_ptr<Noting>> each;
  for (const char* name : {"0", "1", "2", "3"}) {
    each.push_back(std::make_unique<Noting>(name, heard));
    some.add(*each.back(), Rank::devices, kTransferAndExec);
  }
  ask(some, step, [&] {
    heard.clear();
    each[remover]->during = [&](const std::string&) {
      some.remove(*each[removed]);
      if (removed != remover) each[removed].reset();
    };
  });
  EXPECT_EQ(some.size(), 3u);
  return heard;
}

TEST_F(ParticipantsTest, AnyoneMayBeRemovedFromWithinAnyStep) {
  for (const char* step : {"let_go", "take_back", "done", "check_loaded", "take_over", "give_up"}) {
    bool backwards = std::set<std::string>{"let_go", "done", "give_up"}.contains(step);
    for (std::size_t remover = 0; remover < 4; ++remover) {
      for (std::size_t removed = 0; removed < 4; ++removed) {
        SCOPED_TRACE(std::string(step) + " " + std::to_string(remover) + " removes " + std::to_string(removed));
        bool in_time = backwards ? removed < remover : removed > remover;
        std::vector<std::string> wanted;
        for (std::size_t index = 0; index < 4; ++index) {
          if (index != removed || !in_time) wanted.push_back(std::to_string(index));
        }
        EXPECT_EQ(heard_when_one_leaves(step, remover, removed), all(step, backwards ? reversed(wanted) : wanted));
      }
    }
  }
}

TEST_F(ParticipantsTest, OneThatDiesInItsOwnStepIsNotAskedForItsName) {
  auto brief = std::make_unique<Noting>("brief", calls);
  participants.add(*brief, Rank::devices, kTransferAndExec);
  brief->refused = {"let_go"};
  brief->during = [&](const std::string&) { participants.remove(*brief); };
  auto refused = participants.let_go(Mode::cpr_transfer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "cannot");
  EXPECT_TRUE(participants.take_back());
  EXPECT_EQ(taken(), Calls{"let_go brief"});
}

TEST_F(ParticipantsTest, OneThatIsAddedDuringAStepHearsOfItWhenItsTurnIsStillToCome) {
  Noting late{"late", calls};
  first.during = [&](const std::string& step) {
    if (step == "take_over") participants.add(late, Rank::devices, kTransferAndExec);
  };
  EXPECT_TRUE(participants.take_over(Mode::cpr_transfer));
  EXPECT_EQ(taken(), all("take_over", {"chip", "bar", "first", "second", "late"}));
  participants.give_up();
  EXPECT_EQ(taken().front(), "give_up late");
}

}  // namespace
}  // namespace vcpr::lifecycle
