// The records as a specification: unique device names, only ids a kernel can have given.
#include "engine/store/device_records.hpp"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace vcpr::store {
namespace {

ErrorCode code_of(const Expected<void>& result) {
  return result ? ErrorCode{} : result.error().code;
}

TEST(DeviceRecords, FindsTheIdsOfADevice) {
  DeviceRecords records;
  ASSERT_TRUE(records.add("0000:00:07.0", {4, 2, 3}));
  ASSERT_TRUE(records.add("0000:00:05.0", {1, 2, 3}));
  EXPECT_EQ(records.find("0000:00:05.0"), (DeviceIds{1, 2, 3}));
  EXPECT_EQ(records.find("0000:00:07.0"), (DeviceIds{4, 2, 3}));
  auto absent = records.find("0000:00:06.0");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::missing_key);
}

TEST(DeviceRecords, RefusesASecondRecordOfADevice) {
  DeviceRecords records;
  ASSERT_TRUE(records.add("dev", {1, 2, 3}));
  EXPECT_EQ(code_of(records.add("dev", {4, 5, 6})), ErrorCode::duplicate_key);
  EXPECT_EQ(records.find("dev"), (DeviceIds{1, 2, 3}));
}

TEST(DeviceRecords, RefusesIdsNoKernelGives) {
  DeviceRecords records;
  EXPECT_EQ(code_of(records.add("dev", {0, 2, 3})), ErrorCode::bad_value);
  EXPECT_EQ(code_of(records.add("dev", {-1, 2, 3})), ErrorCode::bad_value);
  EXPECT_EQ(code_of(records.add("dev", {1, 0, 3})), ErrorCode::bad_value);
  EXPECT_EQ(records.size(), 0u);
}

TEST(DeviceRecords, AnEmulatedDeviceHasNoHardwarePageTable) {
  DeviceRecords records;
  EXPECT_TRUE(records.add("mdev", {1, 2, 0}));
}

TEST(DeviceRecords, RefusesNamesThatCannotTravel) {
  DeviceRecords records;
  EXPECT_EQ(code_of(records.add("", {1, 2, 3})), ErrorCode::bad_text);
  EXPECT_EQ(code_of(records.add(std::string_view("a\0", 2), {1, 2, 3})), ErrorCode::bad_text);
  EXPECT_EQ(code_of(records.add(std::string(kMaxNameBytes + 1, 'd'), {1, 2, 3})), ErrorCode::bad_length);
}

TEST(DeviceRecords, KeepTheOrderOfInsertionThroughRemovals) {
  DeviceRecords records;
  for (int i = 1; i <= 40; ++i) ASSERT_TRUE(records.add("dev" + std::to_string(i), {i, 1, 1}));
  for (int i = 1; i <= 40; ++i) {
    if (i % 9 == 0) continue;
    ASSERT_TRUE(records.remove("dev" + std::to_string(i)));
  }
  EXPECT_EQ(code_of(records.remove("dev1")), ErrorCode::missing_key);
  std::vector<int> devids;
  for (DeviceRecords::Record record : records) devids.push_back(record.ids.devid);
  EXPECT_EQ(devids, (std::vector{9, 18, 27, 36}));
  EXPECT_TRUE(records.find("dev27"));
}

TEST(DeviceRecords, AMovedFromListIsEmpty) {
  DeviceRecords records;
  ASSERT_TRUE(records.add("dev", {1, 2, 3}));
  DeviceRecords moved = std::move(records);
  EXPECT_EQ(records.size(), 0u);  // NOLINT(bugprone-use-after-move): empty is promised
  EXPECT_TRUE(records.add("dev", {1, 2, 3}));
  EXPECT_TRUE(moved.find("dev"));
}

}  // namespace
}  // namespace vcpr::store
