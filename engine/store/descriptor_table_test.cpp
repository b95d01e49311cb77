// The table as a specification: unique keys, owned descriptors, every refusal named and without effect.
#include "engine/store/descriptor_table.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/null_kernel.hpp"

namespace vcpr::store {
namespace {

constexpr std::string_view kContainer = "vfio_container_for_group";

struct DescriptorTableTest : testing::Test {
  NullKernel kernel;
  DescriptorTable table;

  os::Fd fd(int number) { return {kernel, number}; }
  Expected<void> save(Key key, int number) { return table.save(key, fd(number)); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (Entry entry : table) names.push_back(std::string(entry.key.name) + ":" + std::to_string(entry.key.id));
    return names;
  }
};

#define EXPECT_REFUSED(call, wanted)         \
  do {                                       \
    auto refused = call;                     \
    ASSERT_FALSE(refused);                   \
    EXPECT_EQ(refused.error().code, wanted); \
  } while (false)

TEST_F(DescriptorTableTest, FindsWhatWasSavedUnderItsNameAndId) {
  ASSERT_TRUE(save({"vfio_group", 12}, 7));
  ASSERT_TRUE(save({"vfio_group", 13}, 8));
  ASSERT_TRUE(save({"ram0", 0}, 9));
  EXPECT_EQ(table.find({"vfio_group", 12}), 7);
  EXPECT_EQ(table.find({"vfio_group", 13}), 8);
  EXPECT_EQ(table.find({"ram0", 0}), 9);
  EXPECT_TRUE(table.contains({"ram0", 0}));
  EXPECT_EQ(table.size(), 3u);
}

TEST_F(DescriptorTableTest, AnAbsentKeyIsNamedInTheError) {
  ASSERT_TRUE(save({"ram0", 0}, 9));
  auto found = table.find({"ram0", 1});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::missing_key);
  EXPECT_NE(found.error().text.find("\"ram0\" id 1"), std::string::npos) << found.error().text;
  EXPECT_FALSE(table.contains({"ram", 0}));
}

TEST_F(DescriptorTableTest, ASecondSaveUnderOneKeyIsRefusedAndItsDescriptorClosed) {
  ASSERT_TRUE(save({"ram0", 0}, 9));
  EXPECT_REFUSED(save({"ram0", 0}, 10), ErrorCode::duplicate_key);
  EXPECT_EQ(kernel.closed, std::vector{10});
  EXPECT_EQ(table.find({"ram0", 0}), 9);
}

TEST_F(DescriptorTableTest, ARefusedSaveNeverClosesADescriptorTheTableHolds) {
  ASSERT_TRUE(save({"ram0", 0}, 9));
  EXPECT_REFUSED(save({"ram0", 0}, 9), ErrorCode::duplicate_key);
  EXPECT_REFUSED(save({"ram1", 0}, 9), ErrorCode::same_descriptor);
  EXPECT_TRUE(kernel.closed.empty());
}

TEST_F(DescriptorTableTest, NamesThatCannotTravelAreRefused) {
  EXPECT_REFUSED(save({"", 0}, 3), ErrorCode::bad_text);
  EXPECT_REFUSED(save({std::string_view("a\0b", 3), 0}, 4), ErrorCode::bad_text);
  EXPECT_REFUSED(save({std::string(kMaxNameBytes + 1, 'n'), 0}, 5), ErrorCode::bad_length);
  EXPECT_EQ(kernel.closed, (std::vector{3, 4, 5}));
  EXPECT_TRUE(save({std::string(kMaxNameBytes, 'n'), 0}, 6));
}

TEST_F(DescriptorTableTest, ADescriptorMustBeOpenAndOfTheTablesOwnProcess) {
  EXPECT_REFUSED(table.save({"ram0", 0}, os::Fd{}), ErrorCode::bad_descriptor);
  EXPECT_REFUSED(save({"ram0", 0}, -2), ErrorCode::bad_descriptor);
  ASSERT_TRUE(save({"ram0", 0}, 9));
  NullKernel other;
  EXPECT_REFUSED(table.save({"ram1", 0}, os::Fd(other, 9)), ErrorCode::bad_descriptor);
  EXPECT_EQ(other.closed, std::vector{9});
  EXPECT_TRUE(kernel.closed.empty());
}

TEST_F(DescriptorTableTest, OnlyContainersOfGroupsShareADescriptor) {
  ASSERT_TRUE(save({kContainer, 1}, 5));
  EXPECT_TRUE(save({kContainer, 2}, 5));
  EXPECT_TRUE(table.share({kContainer, 3}, {kContainer, 1}));
  EXPECT_REFUSED(save({"vfio_group", 1}, 5), ErrorCode::same_descriptor);
  EXPECT_REFUSED(table.share({"vfio_group", 1}, {kContainer, 1}), ErrorCode::same_descriptor);
  EXPECT_REFUSED(table.share({kContainer, 4}, {kContainer, 9}), ErrorCode::missing_key);
  EXPECT_EQ(table.find({kContainer, 3}), 5);
  EXPECT_TRUE(kernel.closed.empty());
}

TEST_F(DescriptorTableTest, ASharedDescriptorIsClosedOnceWithItsLastKey) {
  for (int group : {1, 2, 3}) ASSERT_TRUE(save({kContainer, group}, 5));
  EXPECT_TRUE(table.remove({kContainer, 1}));
  EXPECT_TRUE(table.remove({kContainer, 3}));
  EXPECT_TRUE(kernel.closed.empty());
  EXPECT_TRUE(table.remove({kContainer, 2}));
  EXPECT_EQ(kernel.closed, std::vector{5});
}

TEST_F(DescriptorTableTest, TheTableClosesEachDescriptorOnceWhenItDies) {
  {
    DescriptorTable mortal;
    for (int group : {1, 2}) ASSERT_TRUE(mortal.save({kContainer, group}, fd(5)));
    ASSERT_TRUE(mortal.save({"ram0", 0}, fd(6)));
    DescriptorTable moved = std::move(mortal);
    EXPECT_EQ(mortal.size(), 0u);  // NOLINT(bugprone-use-after-move): empty is promised
    EXPECT_TRUE(kernel.closed.empty());
  }
  EXPECT_EQ(kernel.closed, (std::vector{5, 6}));
}

TEST_F(DescriptorTableTest, AssignmentClosesWhatTheTableHeld) {
  ASSERT_TRUE(save({"old", 0}, 3));
  DescriptorTable fresh;
  ASSERT_TRUE(fresh.save({"new", 0}, fd(4)));
  table = std::move(fresh);
  EXPECT_EQ(kernel.closed, std::vector{3});
  EXPECT_EQ(table.find({"new", 0}), 4);
}

TEST_F(DescriptorTableTest, RemoveClosesAndForgets) {
  ASSERT_TRUE(save({"ram0", 0}, 9));
  EXPECT_TRUE(table.remove({"ram0", 0}));
  EXPECT_EQ(kernel.closed, std::vector{9});
  EXPECT_REFUSED(table.remove({"ram0", 0}), ErrorCode::missing_key);
  EXPECT_TRUE(save({"ram0", 0}, 9)) << "key and number are free again";
}

TEST_F(DescriptorTableTest, TakeGivesTheDescriptorAway) {
  ASSERT_TRUE(save({"ram0", 0}, 9));
  auto taken = table.take({"ram0", 0});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->number(), 9);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_TRUE(kernel.closed.empty());
  EXPECT_REFUSED(table.take({"ram0", 0}), ErrorCode::missing_key);
}

TEST_F(DescriptorTableTest, TakeLeavesAloneWhatOthersShare) {
  for (int group : {1, 2}) ASSERT_TRUE(save({kContainer, group}, 5));
  EXPECT_REFUSED(table.take({kContainer, 1}), ErrorCode::same_descriptor);
  ASSERT_TRUE(table.remove({kContainer, 2}));
  EXPECT_TRUE(table.take({kContainer, 1}));
}

TEST_F(DescriptorTableTest, ResaveAcceptsTheSameNumberOnly) {
  EXPECT_TRUE(table.resave({"dev", 0}, kernel, 9));
  EXPECT_TRUE(table.resave({"dev", 0}, kernel, 9));
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(kernel.closed.empty());
  EXPECT_REFUSED(table.resave({"dev", 0}, kernel, 10), ErrorCode::different_descriptor);
  EXPECT_TRUE(kernel.closed.empty()) << "a refused number stays the caller's";
  EXPECT_EQ(table.find({"dev", 0}), 9);
}

TEST_F(DescriptorTableTest, ARefusedAdoptionLeavesTheNumberOpen) {
  ASSERT_TRUE(table.adopt({"dev", 0}, kernel, 9));
  EXPECT_REFUSED(table.adopt({"dev", 0}, kernel, 10), ErrorCode::duplicate_key);
  EXPECT_REFUSED(table.adopt({"ram0", 0}, kernel, 9), ErrorCode::same_descriptor);
  EXPECT_TRUE(kernel.closed.empty());
  ASSERT_TRUE(table.remove({"dev", 0}));
  EXPECT_EQ(kernel.closed, std::vector{9}) << "an accepted one is the table's";
}

TEST_F(DescriptorTableTest, AnEntryIsClaimedOnceUntilItIsUnclaimed) {
  ASSERT_TRUE(save({"ram0", 0}, 9));
  EXPECT_EQ(table.claim({"ram0", 0}), 9);
  EXPECT_REFUSED(table.claim({"ram0", 0}), ErrorCode::key_in_use);
  EXPECT_TRUE(table.unclaim({"ram0", 0}));
  EXPECT_EQ(table.claim({"ram0", 0}), 9);
  EXPECT_REFUSED(table.claim({"ram1", 0}), ErrorCode::missing_key);
  EXPECT_REFUSED(table.unclaim({"ram1", 0}), ErrorCode::missing_key);
}

TEST_F(DescriptorTableTest, WhatNobodyClaimedIsNamedUnlessItIsOptional) {
  ASSERT_TRUE(save({"ram0", 0}, 9));
  ASSERT_TRUE(save({"dev_req_notifier", 0}, 10));
  ASSERT_TRUE(table.claim({"ram0", 0}));
  auto all = table.check_all_claimed();
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, ErrorCode::unclaimed);
  EXPECT_NE(all.error().text.find("dev_req_notifier"), std::string::npos);
  Key wrong_id[] = {{"dev_req_notifier", 1}};
  EXPECT_FALSE(table.check_all_claimed(wrong_id));
  Key optional[] = {{"dev_req_notifier", 0}};
  EXPECT_TRUE(table.check_all_claimed(optional));
}

TEST_F(DescriptorTableTest, AParameterIsSavedInTheOldProcessAndClaimedInTheNew) {
  EXPECT_EQ(table.get_parameter({"net0", 0}, kernel, 9, false), 9);
  EXPECT_EQ(table.find({"net0", 0}), 9);
  EXPECT_EQ(table.get_parameter({"net0", 0}, kernel, 77, true), 9) << "what came counts, not what is given";
  EXPECT_REFUSED(table.get_parameter({"net0", 0}, kernel, 77, true), ErrorCode::key_in_use);
  EXPECT_REFUSED(table.get_parameter({"net1", 0}, kernel, 77, true), ErrorCode::missing_key);
  EXPECT_REFUSED(table.get_parameter({"net1", 0}, kernel, -1, false), ErrorCode::bad_descriptor);
}

TEST_F(DescriptorTableTest, WalksInOrderOfInsertionAlsoAfterRemovals) {
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(save({"e", i}, 100 + i));
  for (int i = 0; i < 30; ++i) {
    if (i % 7 == 0) continue;
    ASSERT_TRUE(table.remove({"e", i}));
  }
  ASSERT_TRUE(save({"e", 1}, 200));
  EXPECT_EQ(names(), (std::vector<std::string>{"e:0", "e:7", "e:14", "e:21", "e:28", "e:1"}));
}

TEST_F(DescriptorTableTest, TheGenerationGrowsWithWhatASaveWouldWriteAndWithNothingElse) {
  auto generation = table.generation();
  auto grown = [&] { return std::exchange(generation, table.generation()) < table.generation(); };
  ASSERT_TRUE(save({kContainer, 1}, 5));
  EXPECT_TRUE(grown());
  ASSERT_TRUE(table.share({kContainer, 2}, {kContainer, 1}));
  EXPECT_TRUE(grown());
  ASSERT_TRUE(table.remove({kContainer, 2}));
  EXPECT_TRUE(grown());
  ASSERT_TRUE(table.resave({kContainer, 1}, kernel, 5));
  EXPECT_FALSE(grown());
  ASSERT_TRUE(table.claim({kContainer, 1}));
  ASSERT_TRUE(table.unclaim({kContainer, 1}));
  EXPECT_FALSE(save({kContainer, 1}, 6));
  EXPECT_FALSE(grown());
  ASSERT_TRUE(table.take({kContainer, 1}));
  EXPECT_TRUE(grown());
}

TEST_F(DescriptorTableTest, DisownForgetsWithoutClosing) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(save({"e", i}, 100 + i));
  table.disown();
  EXPECT_EQ(table.size(), 0u);
  EXPECT_FALSE(table.find_number(105));
  EXPECT_TRUE(kernel.closed.empty());
}

TEST_F(DescriptorTableTest, FindsAnEntryByItsNumber) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(save({"e", i}, 100 + i));
    auto entry = table.find_number(100 + i);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->key, (Key{"e", i}));
  }
  EXPECT_FALSE(table.find_number(99));
  ASSERT_TRUE(table.remove({"e", 3}));
  EXPECT_FALSE(table.find_number(103));
}

TEST_F(DescriptorTableTest, IsFullAtItsLimitAndStaysWhole) {
  kernel.keeps_closed = false;
  for (std::size_t i = 0; i < kMaxEntries; ++i) ASSERT_TRUE(save({"e", static_cast<int>(i)}, static_cast<int>(i)));
  EXPECT_REFUSED(save({"one more", 0}, static_cast<int>(kMaxEntries)), ErrorCode::too_long);
  EXPECT_EQ(table.find({"e", static_cast<int>(kMaxEntries) - 1}), static_cast<int>(kMaxEntries) - 1);
}

/// The table as std containers would do it.
struct Model {
  struct Held {
    int number;
    bool claimed;
  };
  std::vector<std::pair<std::pair<std::string, int>, Held>> entries;

  auto at(Key key) {
    return std::ranges::find_if(
        entries, [&](const auto& entry) { return entry.first.first == key.name && entry.first.second == key.id; });
  }
  std::ptrdiff_t holders(int number) const {
    return std::ranges::count_if(entries, [&](const auto& entry) { return entry.second.number == number; });
  }
  std::optional<ErrorCode> save(Key key, int number) {
    if (at(key) != entries.end()) return ErrorCode::duplicate_key;
    for (const auto& [other, held] : entries) {
      if (held.number == number && !(may_share(key.name) && may_share(other.first))) return ErrorCode::same_descriptor;
    }
    entries.push_back({{std::string(key.name), key.id}, {number, false}});
    return std::nullopt;
  }
};

/// A fixed sequence (Numerical Recipes' generator): the same on every run and machine.
struct Sequence {
  std::uint32_t state = 20261122;
  int below(int limit) {
    state = state * 1664525u + 1013904223u;
    return static_cast<int>((state >> 8) % static_cast<std::uint32_t>(limit));
  }
};

/// Runs operations on table and model with few keys and numbers, so that they meet, and compares after each.
void compare_with_model(int names_used, int ids_used, int numbers_used, int operations) {
  NullKernel kernel;
  DescriptorTable table;
  Model model;
  Sequence sequence;
  std::map<int, int> closes;
  for (int step = 0; step < operations; ++step) {
    int which = sequence.below(names_used);
    std::string name = which == 0 ? std::string(kContainer) : "name" + std::to_string(which);
    Key key{name, sequence.below(ids_used)};
    int number = sequence.below(numbers_used);
    kernel.closed.clear();
    auto in_model = model.at(key);
    std::optional<ErrorCode> wanted;
    Expected<void> got;
    std::vector<int> wanted_closed;
    // More saving than removing at first, more removing than saving in the second half of each thousand.
    bool growing = step / 500 % 2 == 0;
    int action = sequence.below(10);
    if (action < (growing ? 6 : 2)) {
      got = table.save(key, os::Fd(kernel, number));
      wanted = model.save(key, number);
      if (wanted && model.holders(number) == 0) wanted_closed.push_back(number);
    } else if (action < 8) {
      if (in_model == model.entries.end()) {
        wanted = ErrorCode::missing_key;
      } else {
        number = in_model->second.number;
        model.entries.erase(in_model);
        if (model.holders(number) == 0) wanted_closed.push_back(number);
      }
      got = table.remove(key);
    } else {
      auto claimed = table.claim(key);
      if (!claimed) got = std::unexpected(claimed.error());
      if (in_model == model.entries.end()) {
        wanted = ErrorCode::missing_key;
      } else if (std::exchange(in_model->second.claimed, true)) {
        wanted = ErrorCode::key_in_use;
      }
    }
    std::optional<ErrorCode> refused;
    if (!got) refused = got.error().code;
    ASSERT_EQ(refused, wanted) << "step " << step;
    ASSERT_EQ(kernel.closed, wanted_closed) << "step " << step;

    ASSERT_EQ(table.size(), model.entries.size());
    auto expected = model.entries.begin();
    for (Entry entry : table) {
      ASSERT_EQ(entry.key.name, expected->first.first) << "step " << step;
      ASSERT_EQ(entry.key.id, expected->first.second);
      ASSERT_EQ(entry.number, expected->second.number);
      ASSERT_EQ(entry.claimed, expected->second.claimed);
      ASSERT_EQ(table.find(entry.key), entry.number);
      ASSERT_EQ(table.find_number(entry.number)->number, entry.number);
      ++expected;
    }
    for (int n = 0; n < numbers_used; ++n) ASSERT_EQ(table.find_number(n).has_value(), model.holders(n) > 0);
  }
}

TEST(DescriptorTableModel, ASmallTableDoesWhatAMapDoes) {
  compare_with_model(2, 6, 9, 20000);
}
TEST(DescriptorTableModel, AGrowingAndShrinkingTableDoesWhatAMapDoes) {
  compare_with_model(3, 40, 60, 20000);
}
TEST(DescriptorTableModel, ManyKeysOnFewNumbersDoWhatAMapDoes) {
  compare_with_model(1, 100, 3, 10000);
}

}  // namespace
}  // namespace vcpr::store
