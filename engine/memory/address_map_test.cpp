// The address map as a specification: what is refused, and that a refusal leaves nobody with anything.
#include "engine/memory/address_map.hpp"

#include <gtest/gtest.h>

#include "engine/memory/memory_testing.hpp"

namespace vcpr::memory {
namespace {

using Heard = std::vector<std::string>;

struct AddressMapTest : testing::Test {
  Heard heard;
  AddressMap map;
  NotingListener a{"a", heard}, b{"b", heard}, c{"c", heard};
  RamBlock block{.name = "ram", .size = 0x10000, .backing = Backing::memfd, .host = os::UserAddr(0x7000'0000)};

  FlatRange ram(std::uint64_t address, std::uint64_t size, std::uint64_t offset = 0) {
    FlatRange range;
    range.address = address;
    range.size = size;
    range.block = &block;
    range.offset = offset;
    return range;
  }
  Heard taken() { return std::exchange(heard, {}); }
};

TEST_F(AddressMapTest, ListenersHearOfEachRangeInTheirOrderAndOfItsEndBackwards) {
  ASSERT_TRUE(map.listen(a) && map.listen(b));
  EXPECT_TRUE(map.add(ram(0x1000, 0x2000)));
  EXPECT_EQ(taken(), (Heard{"a+1000", "b+1000"}));
  EXPECT_EQ(map.ranges().at(0x1000).size, 0x2000u);
  EXPECT_TRUE(map.remove(0x1000));
  EXPECT_EQ(taken(), (Heard{"b-1000", "a-1000"}));
  EXPECT_TRUE(map.ranges().empty());
  EXPECT_REFUSED(map.remove(0x1000), ErrorCode::missing_key);
}

TEST_F(AddressMapTest, ALateListenerHearsOfWhatThereIsAndOneThatForgotOfNothing) {
  ASSERT_TRUE(map.add(ram(0x9000, 0x1000)) && map.add(ram(0x1000, 0x1000)));
  EXPECT_TRUE(map.listen(a));
  EXPECT_EQ(taken(), (Heard{"a+1000", "a+9000"}));
  map.forget(a);
  map.forget(a);
  EXPECT_TRUE(map.remove(0x1000));
  EXPECT_EQ(taken(), Heard{});
}

TEST_F(AddressMapTest, ARangeThatOneRefusesIsNobodys) {
  NotingListener* listeners[] = {&a, &b, &c};
  for (NotingListener* each : listeners) ASSERT_TRUE(map.listen(*each));
  const Heard wanted[] = {{}, {"a+1000", "a-1000"}, {"a+1000", "b+1000", "b-1000", "a-1000"}};
  for (std::size_t refusing = 0; refusing < 3; ++refusing) {
    listeners[refusing]->agrees = 0;
    auto refused = map.add(ram(0x1000, 0x1000));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text, std::string(1, "abc"[refusing]) + " has no room");
    EXPECT_EQ(taken(), wanted[refusing]);
    EXPECT_TRUE(map.ranges().empty());
  }
  EXPECT_TRUE(map.add(ram(0x1000, 0x1000)));
}

TEST_F(AddressMapTest, AListenerThatRefusesTheNthRangeLosesThoseBeforeItAndIsNotKept) {
  for (std::uint64_t page = 1; page <= 3; ++page) ASSERT_TRUE(map.add(ram(page << 12, 0x1000)));
  const Heard wanted[] = {
      {}, {"a+1000", "a-1000"}, {"a+1000", "a+2000", "a-2000", "a-1000"}, {"a+1000", "a+2000", "a+3000"}};
  for (int agrees = 0; agrees <= 3; ++agrees) {
    a.agrees = agrees;
    EXPECT_EQ(map.listen(a).has_value(), agrees == 3);
    EXPECT_EQ(taken(), wanted[agrees]);
    if (agrees == 3) continue;
    ASSERT_TRUE(map.add(ram(0x9000, 0x1000)) && map.remove(0x9000));
    EXPECT_EQ(taken(), Heard{});
  }
}

TEST_F(AddressMapTest, RangesAreWholePagesAndDoNotMeet) {
  EXPECT_REFUSED(map.add(ram(0x1000, 0)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(ram(0x1800, 0x1000)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(ram(0x1000, 0x1800)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(ram(0xffff'ffff'ffff'f000, 0x2000)), ErrorCode::bad_value);
  EXPECT_TRUE(map.add(ram(0xffff'ffff'ffff'f000, 0x1000))) << "the last page";
  ASSERT_TRUE(map.add(ram(0x4000, 0x2000)));
  for (std::uint64_t begin : {0x3000u, 0x4000u, 0x5000u}) {
    EXPECT_REFUSED(map.add(ram(begin, 0x2000)), ErrorCode::bad_value);
  }
  EXPECT_REFUSED(map.add(ram(0x3000, 0x4000)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(ram(0x5000, 0x1000)), ErrorCode::bad_value);
  EXPECT_TRUE(map.add(ram(0x3000, 0x1000)) && map.add(ram(0x6000, 0x1000)));
}

TEST_F(AddressMapTest, RamLiesWithinItsBlock) {
  EXPECT_REFUSED(map.add(ram(0x1000, 0x1000, 0x10000)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(ram(0x1000, 0x2000, 0xf000)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(ram(0x1000, 0x1000, 0x800)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(ram(0x1000, 0x1000, 0xffff'ffff'ffff'f000)), ErrorCode::bad_value);
  ASSERT_TRUE(map.add(ram(0x1000, 0x1000, 0xf000)));
  EXPECT_EQ(map.ranges().at(0x1000).host(), os::UserAddr(0x7000'f000));
}

TEST_F(AddressMapTest, ARangeIsOneThing) {
  GuestIommu iommu;
  FlatRange none, window, device, both = ram(0x4000, 0x1000);
  for (FlatRange* each : {&none, &window, &device}) each->size = 0x1000;
  window.iommu = &iommu;
  device.address = 0x1000;
  device.bar = os::UserAddr(0x6000'0000);
  both.iommu = &iommu;
  EXPECT_REFUSED(map.add(none), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(both), ErrorCode::bad_value);
  EXPECT_TRUE(map.add(window) && map.add(device));
  EXPECT_FALSE(map.ranges().at(0).is_ram());
  EXPECT_EQ(map.ranges().at(0x1000).host(), os::UserAddr(0x6000'0000));
}

TEST_F(AddressMapTest, ARangeWithADiscardManagerIsWholeUnitsOfAllItsBlock) {
  DiscardManager discards(block.size, 0x2000), other(block.size + 0x2000, 0x2000);
  auto sparse = [&](FlatRange range, DiscardManager& manager) {
    range.discards = &manager;
    return range;
  };
  EXPECT_REFUSED(map.add(sparse(ram(0x2000, 0x2000), other)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(sparse(ram(0x2000, 0x1000), discards)), ErrorCode::bad_value);
  EXPECT_REFUSED(map.add(sparse(ram(0x2000, 0x2000, 0x1000), discards)), ErrorCode::bad_value);
  FlatRange device;
  device.size = 0x2000;
  device.bar = os::UserAddr(0x6000'0000);
  EXPECT_REFUSED(map.add(sparse(device, discards)), ErrorCode::bad_value);
  EXPECT_TRUE(map.add(sparse(ram(0x1000, 0x4000, 0x2000), discards)));
}

}  // namespace
}  // namespace vcpr::memory
