// The vmdescription as a schema: sizes must add up, and the text is found only where a stream ends with it.
#include "engine/vmstate/vmdescription.hpp"

#include <gtest/gtest.h>

#include "engine/vmstate/main_stream_document.hpp"
#include "engine/vmstate/schema_walk.hpp"
#include "engine/vmstate/stream_testing.hpp"

namespace vcpr::vmstate {
namespace {

using testing::Bytes;
using testing::FieldList;
using testing::stream;

std::string one_device(std::string_view fields) {
  return R"({"page_size": 4096, "devices": [{"name": "d", "instance_id": 0, "vmsd_name": "d", "version": 1, "fields": [)" +
         std::string(fields) + "]}]}";
}
std::string refusal(const std::string& text) {
  auto parsed = parse_vmdescription(text);
  return parsed ? "" : parsed.error().message();
}

TEST(VmDescription, SizesAddUp) {
  std::string text = one_device(R"({"name": "a", "array_len": 3, "type": "uint16", "size": 2},
      {"name": "s", "type": "struct", "struct": {"vmsd_name": "s", "version": 1,
       "fields": [{"name": "x", "type": "uint32", "size": 4}]}, "size": 4},
      {"name": "l", "type": "qlist", "vmsd_name": "e", "version": 1, "fields": [{"name": "v", "type": "uint8", "size": 1}],
       "vmsd_name": "e", "version": 1, "fields": [{"name": "v", "type": "uint8", "size": 1}], "size": 5})");
  auto parsed = parse_vmdescription(text);
  ASSERT_TRUE(parsed) << parsed.error().message();
  ASSERT_EQ(parsed->devices.size(), 1u);
  EXPECT_EQ(parsed->devices[0].state.size, 6u + 4u + 5u);
  EXPECT_EQ(parsed->devices[0].state.fields[2].nested.size(), 2u) << "one per element of the list";
}

TEST(VmDescription, WalksListsElementByElement) {
  std::string text = one_device(
      R"({"name": "l", "type": "qtailq", "vmsd_name": "e", "version": 1, "fields": [{"name": "v", "type": "uint8",
       "size": 1}], "vmsd_name": "e", "version": 1, "fields": [{"name": "v", "type": "uint8", "size": 1}], "size": 5})");
  auto parsed = parse_vmdescription(text);
  ASSERT_TRUE(parsed);
  Bytes bytes = stream("01 07 01 08 00");
  FieldList seen;
  SchemaWalk walk(bytes, 100, "d", 99, seen);
  walk.state(parsed->devices[0].state);
  EXPECT_EQ(walk.reported_bytes(), bytes.size());
  EXPECT_EQ(seen.lines(),
            (std::vector<std::string>{"100+1 d.l[0].more marker uint8 1", "101+1 d.l[0].v integer uint8 7",
                                      "102+1 d.l[1].more marker uint8 1", "103+1 d.l[1].v integer uint8 8",
                                      "104+1 d.l.end marker uint8 0"}));
}

TEST(VmDescription, AWalkEndsWithItsBudget) {
  std::string text = one_device(R"({"name": "a", "array_len": 9, "type": "uint8", "size": 1})");
  auto parsed = parse_vmdescription(text);
  ASSERT_TRUE(parsed);
  Bytes bytes(9);
  FieldList seen;
  SchemaWalk walk(bytes, 0, "d", 4, seen);
  walk.state(parsed->devices[0].state);
  EXPECT_EQ(walk.reported_bytes(), 3u) << "the entry itself, then three elements";
}

TEST(VmDescription, RefusesWhatDoesNotAddUpOrIsNotThere) {
  EXPECT_EQ(refusal("[]"), "bad_description at byte 0: \"devices\" is missing");
  EXPECT_EQ(refusal(R"({"page_size": 1, "devices": 5})"), "bad_description at byte 28: \"devices\" is of another type");
  EXPECT_TRUE(refusal(one_device(R"({"name": "a", "type": "uint8"})")).ends_with("\"size\" is missing"));
  EXPECT_TRUE(refusal(one_device(R"({"name": "a", "type": "uint8", "size": -1})")).ends_with("of another type"));
  EXPECT_TRUE(refusal(one_device(R"({"name": "s", "type": "struct", "struct": {"vmsd_name": "s", "version": 1,
       "fields": [{"name": "x", "type": "uint32", "size": 4}]}, "size": 5})"))
                  .ends_with("the size is not that of what the field contains"));
  for (const char* empty :
       {R"({"name": "t", "type": "gtree", "size": 4})", R"({"name": "l", "type": "qtailq", "size": 0})"})
    EXPECT_TRUE(refusal(one_device(empty)).ends_with("the size is not that of what the field contains"));
  EXPECT_EQ(refusal(one_device(R"({"name": "t", "type": "gtree", "size": 5})")), "");
  EXPECT_TRUE(refusal(one_device(R"({"name": "a", "array_len": 4294967296, "type": "buffer", "size": 4294967296})"))
                  .ends_with("the sizes are too large"));
  EXPECT_TRUE(refusal(one_device(R"({"name": "a", "type": "buffer", "size": 18446744073709551615},
                                    {"name": "b", "type": "buffer", "size": 1})"))
                  .ends_with("the sizes are too large"));
}

TEST(VmDescription, IsFoundOnlyAtTheEndOfAStream) {
  EXPECT_EQ(find_vmdescription(stream("ff 00 06 00000002 '{}'")), "{}");
  EXPECT_EQ(find_vmdescription(stream("ff 00 06 00000002 '{} '")), std::nullopt);
  EXPECT_EQ(find_vmdescription(stream("00 06 00000003 '{}'")), std::nullopt);
  EXPECT_EQ(find_vmdescription({}), std::nullopt);
}

}  // namespace
}  // namespace vcpr::vmstate
