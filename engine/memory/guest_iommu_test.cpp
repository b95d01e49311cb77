// What a guest maps through its IOMMU: all listeners have it, or none.
#include "engine/memory/guest_iommu.hpp"

#include <gtest/gtest.h>

#include "engine/memory/memory_testing.hpp"

namespace vcpr::memory {
namespace {

using Heard = std::vector<std::string>;

struct GuestIommuTest : testing::Test {
  Heard heard;
  GuestIommu iommu;
  NotingListener a{"a", heard}, b{"b", heard};
  RamBlock block{.name = "ram", .size = 0x10000, .backing = Backing::memfd};

  IommuMapping at(std::uint64_t iova, std::uint64_t size, std::uint64_t offset = 0) {
    return {.iova = iova, .size = size, .block = &block, .offset = offset};
  }
  Heard taken() { return std::exchange(heard, {}); }
};

TEST_F(GuestIommuTest, ListenersHearOfEachMappingFromWhenTheyListen) {
  ASSERT_TRUE(iommu.map(at(0x1000, 0x1000)));
  iommu.listen(a);
  iommu.listen(b);
  EXPECT_TRUE(iommu.map(at(0x3000, 0x2000, 0x4000)));
  EXPECT_EQ(taken(), (Heard{"a+3000", "b+3000"}));
  EXPECT_EQ(iommu.mappings().size(), 2u);
  iommu.forget(b);
  EXPECT_TRUE(iommu.unmap(0x1000) && iommu.unmap(0x3000));
  EXPECT_EQ(taken(), (Heard{"a-1000", "a-3000"}));
  EXPECT_REFUSED(iommu.unmap(0x3000), ErrorCode::missing_key);
}

TEST_F(GuestIommuTest, AMappingThatOneRefusesIsNobodys) {
  iommu.listen(a);
  iommu.listen(b);
  b.agrees = 0;
  EXPECT_REFUSED(iommu.map(at(0x1000, 0x1000)), ErrorCode::os_error);
  EXPECT_EQ(taken(), (Heard{"a+1000", "a-1000"}));
  EXPECT_TRUE(iommu.mappings().empty());
  EXPECT_TRUE(iommu.map(at(0x1000, 0x1000)));
}

TEST_F(GuestIommuTest, MappingsAreWholePagesOfABlockAndDoNotMeet) {
  ASSERT_TRUE(iommu.map(at(0x4000, 0x2000)));
  EXPECT_REFUSED(iommu.map(at(0x1000, 0)), ErrorCode::bad_value);
  EXPECT_REFUSED(iommu.map(at(0x1000, 0x800)), ErrorCode::bad_value);
  EXPECT_REFUSED(iommu.map(at(0x1800, 0x1000)), ErrorCode::bad_value);
  EXPECT_REFUSED(iommu.map(at(0x3000, 0x2000)), ErrorCode::bad_value);
  EXPECT_REFUSED(iommu.map(at(0x5000, 0x1000)), ErrorCode::bad_value);
  EXPECT_REFUSED(iommu.map(at(0xffff'ffff'ffff'f000, 0x2000)), ErrorCode::bad_value);
  EXPECT_REFUSED(iommu.map(at(0x1000, 0x1000, 0x10000)), ErrorCode::bad_value);
  EXPECT_REFUSED(iommu.map(at(0x1000, 0x1000, 0x800)), ErrorCode::bad_value);
  EXPECT_REFUSED(iommu.map({.iova = 0x1000, .size = 0x1000}), ErrorCode::bad_value);
  EXPECT_TRUE(iommu.map(at(0x6000, 0x1000, 0xf000)));
}

TEST_F(GuestIommuTest, TheNumberOfMappingsHasALimit) {
  for (std::uint64_t page = 0; page < kMaxIommuMappings; ++page) ASSERT_TRUE(iommu.map(at(page << 12, 0x1000)));
  EXPECT_REFUSED(iommu.map(at(kMaxIommuMappings << 12, 0x1000)), ErrorCode::too_long);
}

}  // namespace
}  // namespace vcpr::memory
