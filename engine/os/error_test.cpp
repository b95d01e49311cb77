// Errors are named as their enumerations spell them, and say what, where and why in one line.
#include "engine/os/error.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <gtest/gtest.h>
#include <string.h>
#include <string>
#include <utility>
#include <vector>

#include "source_dir.hpp"

namespace vcpr {
namespace {

/// The enumerators of an enum class in a header, in order, with the value that is written (or -1).
std::vector<std::pair<std::string, int>> enumerators(const std::string& header, const std::string& enumeration) {
  std::ifstream file(VCPR_SOURCE_DIR "/engine/os/" + header);
  std::vector<std::pair<std::string, int>> found;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("enum class " + enumeration)) {
      inside = true;
    } else if (line.starts_with("};")) {
      inside = false;
    } else if (inside && line.size() > 2 && std::islower(static_cast<unsigned char>(line[2])) != 0) {
      std::string name = line.substr(2, line.find_first_of(" ,", 2) - 2);
      auto equals = line.find(" = ");
      found.emplace_back(name, equals == line.npos ? -1 : std::stoi(line.substr(equals + 3)));
    }
  }
  return found;
}

TEST(ErrnoName, OfEveryNumberIsTheNameOfTheSystem) {
  auto known = enumerators("errno.hpp", "Errno");
  ASSERT_GT(known.size(), 40u);
  for (const auto& [spelled, value] : known) {
    std::string expected = spelled;
    std::ranges::transform(expected, expected.begin(), [](unsigned char c) { return std::toupper(c); });
    if (spelled == "none") expected = "OK";
    EXPECT_EQ(name(os::Errno{value}), expected);
    if (spelled != "none" && spelled != "gone") {
      EXPECT_STREQ(::strerrorname_np(value), expected.c_str());
    }
  }
}

TEST(ErrnoName, OfAnUnknownNumberSaysSo) {
  EXPECT_EQ(name(os::Errno{4095}), "E?");
}

TEST(ErrorCodeName, IsSpelledAsInTheEnumeration) {
  auto known = enumerators("error.hpp", "ErrorCode");
  ASSERT_GT(known.size(), 30u);
  for (std::size_t i = 0; i < known.size(); ++i) EXPECT_EQ(name(static_cast<ErrorCode>(i)), known[i].first);
  EXPECT_EQ(name(static_cast<ErrorCode>(known.size())), "unknown");
}

TEST(Error, MessageHasCodeOffsetTextAndErrno) {
  Error error{.code = ErrorCode::duplicate_key, .text = "entry \"ram0\" id 0", .offset = 53, .os = os::Errno::ebadf};
  EXPECT_EQ(error.message(), "duplicate_key at byte 53: entry \"ram0\" id 0 (EBADF)");
}

TEST(Error, MessageLeavesOutWhatIsNotKnown) {
  EXPECT_EQ((Error{.code = ErrorCode::timed_out, .text = "", .offset = {}}).message(), "timed_out");
  EXPECT_EQ((Error{.code = ErrorCode::truncated, .text = "", .offset = 0}).message(), "truncated at byte 0");
}

TEST(Refuse, JoinsItsParts) {
  Expected<int> refused = refuse(ErrorCode::bad_value, {"version ", Decimal(7u), " of ", quoted("cpr")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "bad_value: version 7 of \"cpr\"");
  refused = refuse_at(ErrorCode::bad_value, 12, {"here"});
  EXPECT_EQ(refused.error().message(), "bad_value at byte 12: here");
}

TEST(Refuse, TellsADeadImageFromAFailedCall) {
  EXPECT_EQ(refuse_os(os::Errno::enospc, {"write to ", "memfd"}).error().message(),
            "os_error: write to memfd (ENOSPC)");
  EXPECT_EQ(refuse_os(os::Errno::gone, {"write"}).error().code, ErrorCode::gone);
}

TEST(Decimal, HoldsTheLargestAndTheSmallest) {
  EXPECT_EQ(std::string_view(Decimal(UINT64_MAX)), "18446744073709551615");
  EXPECT_EQ(std::string_view(Decimal(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(std::string_view(Decimal(-1)), "-1");
  EXPECT_EQ(std::string_view(Decimal(0u)), "0");
}

TEST(Quoted, ShowsEveryByteThatIsNotPlainText) {
  EXPECT_EQ(quoted("vfio 0000:01:00.0"), "\"vfio 0000:01:00.0\"");
  EXPECT_EQ(quoted(std::string_view("\0\n\x7f\xff", 4)), R"("\x00\x0a\x7f\xff")");
  EXPECT_EQ(quoted("a\"b\\c"), R"("a\x22b\x5cc")");
}

TEST(Quoted, CutsAfter64Bytes) {
  EXPECT_EQ(vcpr::quoted(std::string(64, 'a')), '"' + std::string(64, 'a') + '"');
  EXPECT_EQ(vcpr::quoted(std::string(65, 'a')), '"' + std::string(64, 'a') + "\"...");
}

}  // namespace
}  // namespace vcpr
