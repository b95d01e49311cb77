// Which units of a block are there, heard of one by one.
#include "engine/memory/discard_manager.hpp"

#include <gtest/gtest.h>

#include "engine/memory/memory_testing.hpp"

namespace vcpr::memory {
namespace {

using Heard = std::vector<std::string>;

struct DiscardManagerTest : testing::Test {
  Heard heard;
  DiscardManager discards{0x10000, 0x2000};
  NotingListener a{"a", heard}, b{"b", heard};

  Heard taken() { return std::exchange(heard, {}); }
};

TEST_F(DiscardManagerTest, ListenersHearOfSingleUnits) {
  discards.listen(a);
  EXPECT_TRUE(discards.populate(0x2000, 0x6000));
  EXPECT_EQ(taken(), (Heard{"a+2000", "a+4000", "a+6000"}));
  EXPECT_TRUE(discards.discard(0x4000, 0x4000));
  EXPECT_EQ(taken(), (Heard{"a-6000", "a-4000"}));
  discards.forget(a);
  EXPECT_TRUE(discards.discard(0x2000, 0x2000));
  EXPECT_EQ(taken(), Heard{});
}

TEST_F(DiscardManagerTest, APopulationThatOneRefusesAtAnyUnitIsNobodys) {
  discards.listen(a);
  discards.listen(b);
  const Heard before = {"a+0", "a+2000", "a+4000"}, after = {"a-4000", "a-2000", "a-0"};
  const Heard of_b[] = {{}, {"b+0", "b-0"}, {"b+0", "b+2000", "b-2000", "b-0"}};
  for (int agrees = 0; agrees < 3; ++agrees) {
    b.agrees = agrees;
    EXPECT_REFUSED(discards.populate(0, 0x6000), ErrorCode::os_error);
    Heard wanted = before;
    wanted.insert(wanted.end(), of_b[agrees].begin(), of_b[agrees].end());
    wanted.insert(wanted.end(), after.begin(), after.end());
    EXPECT_EQ(taken(), wanted);
    for (std::uint64_t unit = 0; unit < 8; ++unit) EXPECT_FALSE(discards.is_populated(unit * 0x2000));
  }
}

TEST_F(DiscardManagerTest, ReplayTellsThePopulatedUnitsWithinTheRange) {
  ASSERT_TRUE(discards.populate(0x2000, 0x2000) && discards.populate(0x6000, 0x4000) &&
              discards.populate(0xe000, 0x2000));
  auto replayed = [&](std::uint64_t offset, std::uint64_t size) {
    EXPECT_TRUE(discards.replay_populated(offset, size, a));
    return taken();
  };
  EXPECT_EQ(replayed(0, 0x10000), (Heard{"a+2000", "a+6000", "a+8000", "a+e000"}));
  EXPECT_EQ(replayed(0x2000, 0x6000), (Heard{"a+2000", "a+6000"}));
  EXPECT_EQ(replayed(0x3000, 0x6000), Heard{"a+6000"}) << "whole units only";
  EXPECT_EQ(replayed(0x8000, ~std::uint64_t{0}), (Heard{"a+8000", "a+e000"}));
  EXPECT_EQ(replayed(0x20000, 0x2000), Heard{});
  a.agrees = 1;
  EXPECT_REFUSED(discards.replay_populated(0, 0x10000, a), ErrorCode::os_error);
  EXPECT_EQ(taken(), Heard{"a+2000"}) << "it stops there";
}

TEST_F(DiscardManagerTest, UnitsAreWholeWithinAndChangeOnlyOnce) {
  EXPECT_REFUSED(discards.populate(0, 0), ErrorCode::bad_value);
  EXPECT_REFUSED(discards.populate(0x1000, 0x2000), ErrorCode::bad_value);
  EXPECT_REFUSED(discards.populate(0x2000, 0x1000), ErrorCode::bad_value);
  EXPECT_REFUSED(discards.populate(0xe000, 0x4000), ErrorCode::bad_value);
  EXPECT_REFUSED(discards.populate(0xffff'ffff'ffff'e000, 0x4000), ErrorCode::bad_value);
  ASSERT_TRUE(discards.populate(0x4000, 0x2000));
  EXPECT_REFUSED(discards.populate(0x2000, 0x4000), ErrorCode::bad_value);
  EXPECT_FALSE(discards.is_populated(0x2000));
  EXPECT_REFUSED(discards.discard(0x2000, 0x4000), ErrorCode::bad_value);
  EXPECT_TRUE(discards.is_populated(0x4000));
  EXPECT_TRUE(discards.is_populated(0x5fff));
  EXPECT_FALSE(discards.is_populated(0x10000));
}

}  // namespace
}  // namespace vcpr::memory
