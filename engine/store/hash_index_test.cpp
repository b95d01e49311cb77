// Names that chance or a machine makes stay far from the limit of a look-up; names made to collide are refused at it.
#include "engine/store/hash_index.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/store/descriptor_table.hpp"
#include "engine/store/device_records.hpp"
#include "engine/store/key_hash.hpp"
#include "engine/store/null_kernel.hpp"

namespace vcpr::store {
namespace {

/// The longest way to a free cell from the home of any pair, with as many pairs as a table holds.
template <class KeyAt>
std::size_t longest_way(KeyAt key_at) {
  constexpr std::size_t kCells = 2 * kMaxEntries;
  std::vector<bool> taken(kCells);
  std::size_t longest = 0;
  for (std::size_t i = 0; i < kMaxEntries; ++i) {
    std::size_t way = 0;
    std::size_t cell = key_at(i) % kCells;
    for (; taken[cell]; cell = (cell + 1) % kCells) ++way;
    taken[cell] = true;
    longest = std::max(longest, way);
  }
  return longest;
}

TEST(HashIndex, HonestNamesStayFarFromTheLimitInAFullTable) {
  auto vectors = [](std::size_t i) {
    std::string name = "0000:" + std::to_string(i / 256) + ":" + std::to_string(i / 8 % 32) + ".0_kvm_interrupt";
    return hash_of({name, static_cast<std::int32_t>(i % 8)});
  };
  auto ids = [](std::size_t i) { return hash_of({"vfio_group", static_cast<std::int32_t>(i)}); };
  auto numbers = [](std::size_t i) { return hash_of({std::to_string(i), 0}); };
  auto paths = [](std::size_t i) {
    return hash_of({"/machine/peripheral/bridge" + std::to_string(i % 7) + "/device" + std::to_string(i), 0});
  };
  EXPECT_LT(longest_way(vectors), HashIndex::kMaxProbes / 2);
  EXPECT_LT(longest_way(ids), HashIndex::kMaxProbes / 2);
  EXPECT_LT(longest_way(numbers), HashIndex::kMaxProbes / 2);
  EXPECT_LT(longest_way(paths), HashIndex::kMaxProbes / 2);
}

/// Its first eight bytes make the hash's first product zero, whatever the next eight are.
std::string colliding_name(std::size_t i) {
  std::string varying = std::to_string(i);
  return "\x15\x7c\x4a\x7f\xb9\x79\x37\x9e" + std::string(8 - varying.size(), '.') + varying + "end";
}

TEST(HashIndex, CraftedNamesDoCollide) {
  EXPECT_EQ(hash_of({colliding_name(1), 0}), hash_of({colliding_name(77), 0}));
  EXPECT_NE(hash_of({"a" + colliding_name(1), 0}), hash_of({"a" + colliding_name(77), 0}));
}

TEST(HashIndex, ATableRefusesNamesMadeToCollide) {
  NullKernel kernel;
  DescriptorTable table;
  std::size_t accepted = 0;
  Expected<void> saved;
  for (; saved && accepted < 16 * HashIndex::kMaxProbes; ++accepted) {
    saved = table.save({colliding_name(accepted), 0}, os::Fd(kernel, static_cast<int>(accepted)));
  }
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::too_long);
  EXPECT_NE(saved.error().text.find("too many names before it have its hash"), std::string::npos);
  EXPECT_LE(table.size(), HashIndex::kMaxProbes + 1);
  EXPECT_EQ(kernel.closed, std::vector<int>{static_cast<int>(table.size())}) << "the refused descriptor is closed";
  EXPECT_TRUE(table.save({"ram0", 0}, os::Fd(kernel, 100'000))) << "an honest name still finds its place";
}

TEST(HashIndex, DeviceRecordsRefuseNamesMadeToCollide) {
  DeviceRecords records;
  Expected<void> added;
  for (std::size_t i = 0; added && i < 16 * HashIndex::kMaxProbes; ++i)
    added = records.add(colliding_name(i), {1, 2, 3});
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::too_long);
  EXPECT_LE(records.size(), HashIndex::kMaxProbes + 1);
}

}  // namespace
}  // namespace vcpr::store
