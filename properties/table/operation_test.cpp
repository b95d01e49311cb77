#include "properties/table/operation.hpp"

#include <gtest/gtest.h>

namespace vcpr::table {
namespace {

TEST(Operation, EveryRecordPrintsAsALineThatParsesToTheSameOperation) {
  for (int verb = 0; verb < 256; ++verb) {
    for (int fourth = 0; fourth < 256; ++fourth) {
      std::array<std::uint8_t, 4> bytes = {std::uint8_t(verb), std::uint8_t(fourth), std::uint8_t(verb ^ fourth),
                                           std::uint8_t(fourth)};
      Operation operation = decode(bytes);
      auto parsed = parse(print(operation));
      ASSERT_TRUE(parsed) << print(operation) << ": " << parsed.error();
      EXPECT_EQ(*parsed, operation) << print(operation);
      EXPECT_EQ(decode(encode(operation)), operation) << print(operation);
    }
  }
}

TEST(Operation, MissingBytesAreZero) {
  EXPECT_EQ(print(decode({})), "save ram0 0 new");
  std::array<std::uint8_t, 1> find = {4};
  EXPECT_EQ(print(decode(find)), "find ram0 0");
}

TEST(Operation, ALineThatIsNoneSaysWhy) {
  EXPECT_EQ(parse("open ram0 0").error(), "no such operation");
  EXPECT_EQ(parse("find ram9 0").error(), "a known name and an id from -128 to 127 are needed");
  EXPECT_EQ(parse("find ram0 128").error(), "a known name and an id from -128 to 127 are needed");
  EXPECT_EQ(parse("share ram0 0 ram0 1").error(), "\"with\" and the key that is there are needed");
  EXPECT_EQ(parse("save ram0 0 held 64").error(), "new, none, or held with a position up to 63 is needed");
  EXPECT_EQ(parse("walk ram0").error(), "more words than the operation has");
  EXPECT_EQ(parse_all("walk\n\n# a remark\nstop\n").error(), "line 4: no such operation");
}

}  // namespace
}  // namespace vcpr::table
