#include "properties/streams/damage.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <set>

#include "engine/handover/cpr_state.hpp"
#include "properties/streams/mutate.hpp"
#include "properties/streams/riders.hpp"
#include "properties/streams/transfer_input.hpp"
#include "source_dir.hpp"

namespace vcpr::streams {
namespace {

Stream capture(const std::string& name) {
  std::ifstream file(VCPR_SOURCE_DIR "/corpus/captures/" + name, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::size_t find_path(const FieldMap& map, std::string_view path, vmstate::Role role) {
  for (std::size_t i = 0; i < map.fields().size(); ++i) {
    if (map.path(i) == path && map.fields()[i].role == role) return i;
  }
  ADD_FAILURE() << path;
  return 0;
}

const Stream& one() {
  static const Stream stream = capture("a_min_q35.cpr.bin");
  return stream;
}

Stream damaged(const Stream& stream, const Damage& damage) {
  Stream copy = stream;
  apply(copy, FieldMap(stream, StreamKind::transfer), damage);
  return copy;
}

TEST(FieldMap, CoversEveryByteOfACprState) {
  FieldMap map(one(), StreamKind::transfer);
  std::uint32_t offset = 0;
  for (const Field& field : map.fields()) {
    EXPECT_EQ(field.offset, offset);
    offset += field.size;
  }
  EXPECT_EQ(offset, one().size());
  EXPECT_EQ(map.end(), one().size());
  EXPECT_FALSE(map.stopped());
}

TEST(FieldMap, GroupsAreWholeEntries) {
  FieldMap map(one(), StreamKind::transfer);
  std::size_t first = find_path(map, "fds[0].name", vmstate::Role::text);
  const Group& group = map.groups()[map.fields()[first].group];
  EXPECT_EQ(group.offset, 8u);
  EXPECT_EQ(group.offset + group.size, 37u) << "the first service byte is byte 36";
}

TEST(FieldMap, OfADamagedStreamEndsWhereItIsNotUnderstood) {
  FieldMap map({one().data(), 40}, StreamKind::transfer);
  ASSERT_TRUE(map.stopped());
  EXPECT_LE(map.end(), 40u);
  EXPECT_GE(map.end(), 37u);
}

TEST(Riders, AreTheServiceBytesThatTheEngineSees) {
  for (const char* name : {"a_min_q35.cpr.bin", "b_multi_ram.cpr.bin", "vfio/iommufd_two_kvm_transfer.cpr.bin"}) {
    Stream stream = capture(name);
    FieldMap map(stream, StreamKind::transfer);
    Riders riders(stream, handover::Encoding::transfer);
    for (const Field& field : map.fields()) {
      if (field.role != vmstate::Role::service_byte) continue;
      auto rider = riders.next();
      ASSERT_TRUE(rider);
      EXPECT_EQ(rider->offset, field.offset) << name;
    }
    EXPECT_FALSE(riders.next());
  }
}

TEST(Riders, OfAnExecStateHaveItsNumbers) {
  Stream stream = capture("x_exec_q35.cprexec.bin");
  Riders riders(stream, handover::Encoding::exec);
  std::set<int> numbers;
  while (auto rider = riders.next()) numbers.insert(rider->number);
  EXPECT_EQ(numbers, (std::set<int>{11, 16, 17, 18, 19, 20}));
}

TEST(Damage, EveryOneThatIsEnumeratedChangesTheStreamAndHasAName) {
  FieldMap map(one(), StreamKind::transfer);
  std::size_t count = 0;
  for_each_damage(one(), map, [&](const Damage& damage) {
    ++count;
    // Swapping equals, copying a text onto its like and repeating what ends a list can leave the bytes as they were.
    bool may_be_none = damage.act == Act::swap_groups || damage.act == Act::copy_text || damage.act == Act::rename;
    EXPECT_TRUE(may_be_none || damaged(one(), damage) != one()) << describe(map, damage);
    EXPECT_FALSE(describe(map, damage).empty());
  });
  EXPECT_GT(count, 1000u);
}

TEST(Damage, ARepairedLengthCountsWhatFollows) {
  FieldMap map(one(), StreamKind::transfer);
  auto text = static_cast<std::uint32_t>(find_path(map, "fds[0].name", vmstate::Role::text));
  Stream renamed = damaged(one(), {Act::rename, text, 0});
  FieldMap after(renamed, StreamKind::transfer);
  EXPECT_FALSE(after.stopped());
  EXPECT_EQ(value_of(renamed, after.fields()[text - 1]), reserved_names()[0].size() + 1);
  Stream resized = damaged(one(), {Act::resize, text - 1, 5});
  EXPECT_FALSE(FieldMap(resized, StreamKind::transfer).stopped());
  EXPECT_EQ(value_of(resized, map.fields()[text - 1]), 5u);
}

TEST(Damage, GroupsMoveWhole) {
  FieldMap map(one(), StreamKind::transfer);
  std::uint32_t first = map.fields()[find_path(map, "fds[0].name", vmstate::Role::text)].group;
  for (Act act : {Act::erase_group, Act::repeat_group, Act::swap_groups}) {
    Stream stream = damaged(one(), {act, first, first + 2});
    EXPECT_FALSE(FieldMap(stream, StreamKind::transfer).stopped()) << static_cast<int>(act);
  }
  Stream twice = damaged(one(), {Act::swap_groups, first, first + 2});
  EXPECT_NE(twice, one());
  EXPECT_EQ(damaged(twice, {Act::swap_groups, first, first + 2}), one());
}

TEST(Damage, SplicingAStreamWithItselfAtOnePlaceGivesItBack) {
  FieldMap map(one(), StreamKind::transfer);
  for (std::size_t group = 0; group <= map.groups().size(); ++group) {
    EXPECT_EQ(splice(one(), map, group, one(), map, group), one());
  }
}

TEST(Mutate, IsAFunctionOfItsArgumentsAndStaysWithinTheCapacity) {
  std::vector<std::uint8_t> input(one().size());
  std::ranges::transform(one(), input.begin(), [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  std::set<std::vector<std::uint8_t>> mutants;
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    std::vector<std::uint8_t> first = input;
    first.resize(input.size() + seed % 40);
    std::vector<std::uint8_t> second = first;
    std::size_t size = mutate_input(StreamKind::transfer, first.data(), input.size(), first.size(), seed);
    ASSERT_LE(size, first.size());
    ASSERT_EQ(mutate_input(StreamKind::transfer, second.data(), input.size(), second.size(), seed), size);
    first.resize(size);
    second.resize(size);
    ASSERT_EQ(first, second);
    mutants.insert(first);
  }
  EXPECT_GT(mutants.size(), 1000u);
}

TEST(Mutate, TakesAnyBytesOfEveryKind) {
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    std::vector<std::uint8_t> bytes(seed % 97 + 1);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(seed * 31 + i * i);
    StreamKind kind = static_cast<StreamKind>(seed % 3);
    EXPECT_LE(mutate(kind, bytes.data(), seed % bytes.size(), bytes.size(), seed), bytes.size());
  }
}

}  // namespace
}  // namespace vcpr::streams
