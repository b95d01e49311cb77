// What playing a scenario does.
#include "properties/vm_scenario/run.hpp"

#include <gtest/gtest.h>

namespace vcpr::vm_scenario {
namespace {

Outcome played(std::string_view text) {
  auto scenario = parse(text);
  EXPECT_TRUE(scenario) << scenario.error();
  if (!scenario) return {};
  Outcome outcome = run(*scenario);
  if (outcome.violation) ADD_FAILURE() << text << "\n" << invariants::text(*outcome.violation);
  return outcome;
}

using Endings = std::vector<Ending>;

TEST(Playing, HandsAVmOnByEveryMode) {
  EXPECT_EQ(played("device igb legacy msix 3\ntransfer\nexec\ntransfer plain\nexec\n").endings,
            Endings(4, Ending::given));
  EXPECT_EQ(played("device edu iommufd intx\ntransfer stop-first\nexec\n").endings, Endings(2, Ending::given));
  EXPECT_EQ(played("device igb iommufd msix 2\nsuspend\nreboot\ntransfer\n").endings, Endings(2, Ending::given));
  EXPECT_EQ(played("device edu legacy msi\nsuspend\nreboot\nsuspend\nreboot\n").endings, Endings(2, Ending::given));
}

TEST(Playing, AnAwakeGuestIsNotRebooted) {
  EXPECT_EQ(played("device edu legacy intx\nreboot\ntransfer\n").endings, (Endings{Ending::kept, Ending::given}));
}

TEST(Playing, TheGuestMayHoldMaskAndTurnOffMeanwhile) {
  EXPECT_EQ(played("device igb legacy msix 3\nhold\nraise 0\ntake\ntransfer\nmask 1\nraise 1\nexec\n").endings,
            Endings(2, Ending::given));
  EXPECT_EQ(played("device edu legacy intx\nhold\nraise 0\ntransfer\nmask 0\nraise 0\ntransfer\n").endings,
            Endings(2, Ending::given));
  EXPECT_EQ(played("device igb legacy msix 3\ndevice edu iommufd msi\ndisable 0\nraise 0\ntransfer\nenable 0\nexec\n")
                .endings,
            Endings(2, Ending::given));
}

TEST(Playing, DevicesComeAndGoBetweenHandovers) {
  EXPECT_EQ(played("device igb legacy msix 3\ndevice edu legacy intx\nunplug 0\ntransfer\nplug 0\nexec\n").endings,
            Endings(2, Ending::given));
}

TEST(Playing, DmaGoesOnMeanwhile) {
  EXPECT_EQ(played("device edu legacy msi\nstart_dma 0\ntransfer\n at 120 complete_dma 0\n").endings,
            Endings(1, Ending::given));
}

TEST(Playing, AFaultOrADeathEndsWithOneOwner) {
  EXPECT_EQ(played("device igb legacy msix 3\ntransfer\n at 40 fault sendmsg_enobufs\nexec\n").endings.back(),
            Ending::given);
  EXPECT_EQ(played("device igb legacy msix 3\ntransfer\n at 60 kill_new\ntransfer\n").endings,
            (Endings{Ending::kept, Ending::given}));
  EXPECT_EQ(played("device igb legacy msix 3\ntransfer\n at 20 kill_old\n").endings, Endings{Ending::lost});
}

TEST(Playing, DamageOnTheWayIsRefusedOrHarmless) {
  for (int call = 0; call < 200; call += 3) {
    (void)played("device igb legacy msix 3\ntransfer\n at " + std::to_string(call) + " damage 16777216\ntransfer\n");
    (void)played("device igb legacy msix 3\ntransfer\n at " + std::to_string(call) + " damage 3\ntransfer\n");
  }
}

TEST(Playing, EqualScenariosHaveEqualHashes) {
  constexpr std::string_view kText = "device igb legacy msix 3\ntransfer\n at 60 kill_new\nraise 1\nexec\n";
  EXPECT_EQ(played(kText).hash, played(kText).hash);
  EXPECT_NE(played(kText).hash, played("device igb legacy msix 3\nexec\n").hash);
}

TEST(Playing, WhatIsSeenNamesPhaseActionAndEnding) {
  const Outcome outcome = played("device igb legacy msix 3\ntransfer\n at 60 kill_new\n");
  ASSERT_EQ(outcome.seen.size(), 1U);
  EXPECT_EQ(outcome.seen[0].action, Action::kill_new);
  EXPECT_EQ(outcome.seen[0].ending, Ending::kept);
}

}  // namespace
}  // namespace vcpr::vm_scenario
