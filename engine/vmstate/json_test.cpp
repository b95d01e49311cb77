// The bounded JSON reader: RFC 8259 forms, and each refusal with its byte.
#include "engine/vmstate/json.hpp"

#include <gtest/gtest.h>

namespace vcpr::vmstate {
namespace {

std::string refusal(std::string_view text) {
  auto json = Json::parse(text);
  return json ? "" : json.error().message();
}

TEST(Json, ReadsNestedValuesInOrder) {
  auto json = Json::parse(R"( {"a": [1, -2, 3.5, true, null], "b": {"c": "text"}, "a": 7} )");
  ASSERT_TRUE(json) << json.error().message();
  const JsonValue* array = json->member(json->root(), "a");
  ASSERT_NE(array, nullptr);
  std::vector<JsonValue::Type> types;
  json->each(*array, [&](const JsonValue& each) {
    types.push_back(each.type);
    return true;
  });
  using Type = JsonValue::Type;
  EXPECT_EQ(types, (std::vector{Type::integer, Type::other_number, Type::other_number, Type::boolean, Type::null}));
  EXPECT_EQ(json->member(*json->member(json->root(), "b"), "c")->string, "text");
  std::size_t members = 0;
  json->each(json->root(), [&](const JsonValue&) { return ++members != 0; });
  EXPECT_EQ(members, 3u) << "a key that comes twice is kept twice";
}

TEST(Json, UnescapesStrings) {
  auto json = Json::parse(R"("a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac")");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->root().string, "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac");
}

TEST(Json, KeepsWholeNumbersExactly) {
  EXPECT_EQ(Json::parse("18446744073709551615")->root().number, 18446744073709551615u);
  EXPECT_EQ(Json::parse("18446744073709551616")->root().type, JsonValue::Type::other_number);
}

TEST(Json, RefusesWhatIsNotJson) {
  EXPECT_EQ(refusal(""), "bad_description at byte 0: neither a value nor a digit");
  EXPECT_EQ(refusal("{\"a\" 1}"), "bad_description at byte 5: ':' is missing");
  EXPECT_EQ(refusal("[1 2]"), "bad_description at byte 3: ',' is missing");
  EXPECT_EQ(refusal("[1,]"), "bad_description at byte 3: neither a value nor a digit");
  EXPECT_EQ(refusal("{a: 1}"), "bad_description at byte 1: '\"' is missing");
  EXPECT_EQ(refusal("\"abc"), "bad_description at byte 4: a string without an end");
  EXPECT_EQ(refusal("\"a\\x\""), "bad_description at byte 3: an escape that JSON does not have");
  EXPECT_EQ(refusal("\"\\u12g4\""), "bad_description at byte 3: \\u without four digits");
  EXPECT_EQ(refusal("\"\\u12"), "bad_description at byte 3: \\u without four digits");
  EXPECT_EQ(refusal("\"a\nb\""), "bad_description at byte 2: a control character in a string");
  EXPECT_EQ(refusal("01"), "bad_description at byte 2: a number that begins with 0");
  EXPECT_EQ(refusal("1 2"), "bad_description at byte 2: text after the end of the JSON value");
}

TEST(Json, EveryTruncationIsRefused) {
  std::string_view whole = R"({"a": [1, "b\u0041"], "c": {"d": true}})";
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(refusal(whole.substr(0, size)), "") << size;
  EXPECT_EQ(refusal(whole), "");
}

TEST(Json, DepthSizeAndCountAreLimited) {
  std::string deep(kMaxJsonDepth, '[');
  EXPECT_EQ(refusal(deep + "1" + std::string(kMaxJsonDepth, ']')), "");
  EXPECT_EQ(refusal("[" + deep), "too_long at byte 65: nested too deeply");
  std::string many = "[0";
  for (std::uint32_t count = 2; count < kMaxJsonValues; ++count) many += ",0";
  EXPECT_EQ(refusal(many + "]"), "");
  EXPECT_TRUE(refusal(many + ",0]").starts_with("too_long")) << refusal(many + ",0]");
  EXPECT_TRUE(refusal(std::string(kMaxJsonBytes + 1, ' ')).starts_with("too_long at byte 0"));
}

}  // namespace
}  // namespace vcpr::vmstate
