// Runs: what a scenario asks for happens, ends as the rules say, and is the same every time.
#include "properties/scenario/run.hpp"

#include <gtest/gtest.h>

namespace vcpr::scenario {
namespace {

constexpr std::string_view kTable = R"(save "ram0" id 0 memfd bytes 65536 offset 100 seals 7
save "vfio_container_for_group" id 12 vfio-container
save "vfio_container_for_group" id 13 same-as 1
save "vfio_group" id 12 vfio-group 1
save "0000:3a:00.1" id 0 vfio-device 1
save "0000:3a:00.1_interrupt" id 3 eventfd counter 4 nonblocking
device "0000:3a:00.1" devid 1 ioas 2 hwpt 4
)";

Scenario scenario_of(std::string_view settings, std::string_view rest = {}) {
  std::string text = "vcpr scenario 1\n";
  text.append(settings).append(kTable).append(rest);
  auto scenario = parse(text);
  EXPECT_TRUE(scenario) << scenario.error().message() << "\n" << text;
  return *scenario;
}

/// "done, done", after checking that nothing broke.
std::string endings(const Scenario& scenario) {
  Outcome outcome = run(scenario);
  if (outcome.violation) {
    std::string log;
    Line line = [&log](std::string_view text) { log.append(text).append("\n"); };
    (void)run(scenario, &line);
    ADD_FAILURE() << log << print(scenario);
  }
  std::string all;
  for (const std::string& ending : outcome.endings) all.append(all.empty() ? "" : ", ").append(ending);
  return all;
}

class EachMode : public ::testing::TestWithParam<std::string> {
 protected:
  std::string mode() const { return "mode " + GetParam() + "\n"; }
};

TEST_P(EachMode, HandsOverFourTimesInARow) {
  EXPECT_EQ(endings(scenario_of(mode() + "handovers 4\n")), "done, done, done, done");
}

TEST_P(EachMode, HandsOverNothing) {
  EXPECT_EQ(endings(*parse("vcpr scenario 1\n" + mode())), "done");
}

TEST_P(EachMode, GivesTheSameHashTwiceAndAnotherForAnotherScenario) {
  Scenario scenario = scenario_of(mode());
  EXPECT_EQ(run(scenario).hash, run(scenario).hash);
  Scenario other = scenario;
  other.entries[0].name.index = 1;
  EXPECT_NE(run(scenario).hash, run(other).hash);
}

TEST_P(EachMode, DoesTheSameWhenSomebodyListens) {
  Scenario scenario = scenario_of(mode(), "at 1 call 3 advance 10 us\n");
  std::size_t lines = 0;
  Line line = [&lines](std::string_view) { ++lines; };
  EXPECT_EQ(run(scenario, &line).hash, run(scenario).hash);
  EXPECT_GT(lines, 10u);
}

TEST_P(EachMode, RefusesADescriptorOfTheWrongKind) {
  EXPECT_TRUE(endings(scenario_of(mode(), "save \"0000:3a:00.2_interrupt\" id 0 socket\n")).starts_with("wrong_kind"));
}

TEST_P(EachMode, RefusesToGoOnWithAnEntryNobodyClaims) {
  EXPECT_TRUE(
      endings(scenario_of(mode() + "claiming listed\n", "claim entry 0\nclaim entry 0\n")).starts_with("unclaimed"));
}

TEST_P(EachMode, SurvivesTheDeathOfOldAtEveryCall) {
  for (int call = 0; call < 80; ++call) {
    endings(scenario_of(mode(), "at 1 call " + std::to_string(call) + " kill-old\n"));
  }
}

TEST_P(EachMode, TriesAgainAfterTheDeathOfNewAtEveryCall) {
  for (int call = 0; call < 80; ++call) {
    std::string all =
        endings(scenario_of(mode() + "handovers 2\n", "at 1 call " + std::to_string(call) + " kill-new\n"));
    bool one_process = GetParam() == "exec";  // its death ends everything
    EXPECT_TRUE(one_process || all.ends_with(", done")) << call << ": " << all;
  }
}

TEST_P(EachMode, SurvivesEveryFaultAtEveryCall) {
  for (const machine::FaultRule& rule : machine::fault_table()) {
    for (int call = 0; call < 60; call += 3) {
      std::string event = "at 1 call " + std::to_string(call) + " fault ";
      endings(scenario_of(mode() + "handovers 2\n", event.append(rule.name).append("\n")));
    }
  }
}

std::string test_name(const ::testing::TestParamInfo<std::string>& mode) {
  return mode.param == "transfer-pair" ? "pair" : mode.param;
}
INSTANTIATE_TEST_SUITE_P(Modes, EachMode, ::testing::Values("transfer", "transfer-pair", "exec"), test_name);

TEST(Run, RefusesAStreamWhoseDescriptorsDoNotFit) {
  EXPECT_TRUE(endings(scenario_of("descriptor-limit 8\n")).starts_with("lost_descriptor"));
}

TEST(Run, SendsThroughASmallSocketInPieces) {
  std::string many;
  for (int i = 0; i < 250; ++i) many += "save \"ram1\" id " + std::to_string(i) + " eventfd counter 1\n";
  EXPECT_EQ(endings(scenario_of("socket-buffer 256 bytes\nhandovers 2\n", many)), "done, done");
}

TEST(Run, IsTheSameForEveryOrderOfTurns) {
  for (unsigned turns : {0u, 1u, 2u, 0x55555555u, 0xffffffffu}) {
    EXPECT_EQ(endings(scenario_of("turns " + std::to_string(turns) + "\n")), "done");
  }
}

TEST(Run, RefusesATableThatChangedWhileItWasSent) {
  std::string all = endings(scenario_of("handovers 2\n", "at 1 call 12 add-entry\n"));
  EXPECT_EQ(all, "refused: the table changed after it was recorded, done");
}

TEST(Run, GivesUpAtTheDeadlineWhenNobodyHangsUp) {
  std::size_t timeouts = 0;
  for (int call = 0; call < 60; ++call) {
    std::string all = endings(scenario_of("handovers 2\n", "at 1 call " + std::to_string(call) + " freeze-new\n"));
    EXPECT_TRUE(all.ends_with("done")) << call << ": " << all;
    timeouts += all.find("does not hang up") != all.npos;
  }
  EXPECT_GT(timeouts, 0u);
}

TEST(Run, NeverSendsWhatTookTheNumberOfARemovedEntry) {
  std::string many;
  for (int i = 0; i < 60; ++i) many += "save \"ram1\" id " + std::to_string(i) + " memfd bytes 1 offset 0 seals 0\n";
  for (int call = 0; call < 60; ++call) {
    std::string at = "at 1 call " + std::to_string(call);
    std::string events = at + " drop-entry entry 50\n" + at + " add-entry\n";
    std::string all = endings(scenario_of("socket-buffer 256 bytes\nhandovers 2\n", many + events));
    EXPECT_TRUE(all.ends_with(", done")) << all;
  }
}

TEST(Run, CancelsOnEitherSideAtEveryCall) {
  for (std::string_view action : {"cancel-old", "cancel-new", "half-close", "drop-entry entry 0", "add-entry",
                                  "signal entry 5", "step-other", "freeze-old", "freeze-new"}) {
    for (int call = 0; call < 60; ++call) {
      std::string event = "at 1 call " + std::to_string(call) + " ";
      std::string all = endings(scenario_of("handovers 2\n", event.append(action).append("\n")));
      EXPECT_TRUE(all.ends_with("done")) << event << ": " << all;
    }
  }
}

}  // namespace
}  // namespace vcpr::scenario
