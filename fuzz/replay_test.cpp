// The replay main is what turns a seed into a test: it must fail when the target does.
#include "fuzz/replay.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

#include "fuzz/input_file.hpp"

namespace vcpr::fuzz {
namespace {

namespace fs = std::filesystem;

/// A folder of its own for each test, gone afterwards.
class Replay : public testing::Test {
 protected:
  Replay() { fs::create_directories(folder); }
  ~Replay() override { fs::remove_all(folder); }

  fs::path write(const std::string& name, std::string_view content) const {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << content;
    return folder / name;
  }
  Replayed run(const Target& target) {
    const std::vector paths{folder};
    return replay(target, paths, log);
  }

  fs::path folder = fs::path(testing::TempDir()) / ("vcpr_replay." + std::to_string(getpid()));
  std::ostringstream log;
};

Ran sum(std::span<const std::uint8_t> input, const Explain* /*explain*/) {
  std::uint64_t total = 0;
  for (const std::uint8_t byte : input) total += byte;
  return total;
}

Ran count_runs(std::span<const std::uint8_t> /*input*/, const Explain* /*explain*/) {
  static std::uint64_t runs = 0;
  return ++runs;
}

void invariant_first_byte_is_not_x(std::span<const std::uint8_t> input) {
  if (!input.empty() && input[0] == 'x') std::abort();
}

Ran abort_on_x(std::span<const std::uint8_t> input, const Explain* /*explain*/) {
  invariant_first_byte_is_not_x(input);
  return 0;
}

std::string print_upper(std::span<const std::uint8_t> input) {
  return {input.begin(), input.end()};
}

std::expected<Bytes, std::string> parse_digits(std::string_view text) {
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::unexpected("line 1: not a digit");
  return Bytes(text.begin(), text.end());
}

constexpr Target kSum{"sum", "test", sum};
constexpr Target kUnstable{"unstable", "test", count_runs};
constexpr Target kCanary{"canary", "test", abort_on_x};
constexpr Target kText{"text", "test", sum, nullptr, print_upper, parse_digits};

TEST_F(Replay, RunsEveryFileBelowAFolder) {
  write("seeds/a", "1");
  write("regressions/b", "2");
  write("regressions/.hidden", "3");
  write("README.md", "4");
  write("sum.dict", "5");
  write("sum.options", "6");
  const auto result = run(kSum);
  EXPECT_TRUE(result.good());
  EXPECT_EQ(result.files, 2u);
}

TEST_F(Replay, FailsWithoutAnyInput) {
  EXPECT_FALSE(run(kSum).good());
}

TEST_F(Replay, FailsOnAPathThatIsNotThere) {
  const std::vector paths{folder / "missing", write("a", "1")};
  EXPECT_EQ(replay(kSum, paths, log).failures, 1u);
}

TEST_F(Replay, FailsWhereTwoRunsOfOneInputDiffer) {
  write("a", "1");
  EXPECT_FALSE(run(kUnstable).good());
  EXPECT_NE(log.str().find("not deterministic"), std::string::npos);
}

/// Remembers the greatest sum so far: two runs in a row agree, runs in another order do not.
Ran remember(std::span<const std::uint8_t> input, const Explain* explain) {
  static std::uint64_t greatest = 0;
  greatest = std::max(greatest, sum(input, explain).hash);
  return 1000 - greatest;
}

constexpr Target kRemembers{"remembers", "test", remember};

TEST_F(Replay, FailsWhereWhatCameBeforeMatters) {
  write("a", "1");
  write("b", "9");
  EXPECT_EQ(run(kRemembers).failures, 1U);
  EXPECT_NE(log.str().find("after other inputs"), std::string::npos) << log.str();
}

TEST_F(Replay, DiesWithTheTarget) {
  write("harmless", "a");
  EXPECT_TRUE(run(kCanary).good());
  write("deadly", "x");
  EXPECT_DEATH(run(kCanary), "");
}

TEST_F(Replay, NamesTheFileBeforeItRuns) {
  const auto file = write("a", "1");
  run(kSum);
  EXPECT_EQ(log.str(), "running " + file.string() + "\n");
}

TEST_F(Replay, ParsesTextInputs) {
  write("a.txt", "12");
  write("b.bin", "x");
  EXPECT_TRUE(run(kText).good());
  write("c.txt", "x");
  EXPECT_EQ(run(kText).failures, 1u);
  EXPECT_NE(log.str().find("c.txt: line 1: not a digit"), std::string::npos);
}

TEST_F(Replay, RefusesATextForATargetWithoutTextForm) {
  const auto input = read_input(kSum, write("a.txt", "12"));
  ASSERT_FALSE(input);
  EXPECT_NE(input.error().find("no text form"), std::string::npos);
}

TEST_F(Replay, ReadsEveryByteValueUnchanged) {
  std::string all;
  for (int value = 0; value < 256; ++value) all.push_back(static_cast<char>(value));
  const auto input = read_input(kSum, write("all", all));
  ASSERT_TRUE(input);
  EXPECT_EQ(std::string(input->begin(), input->end()), all);
}

TEST_F(Replay, RefusesAFileThatIsTooLargeBeforeReadingIt) {
  fs::resize_file(write("huge", ""), kMaxInputFileBytes + 1);
  const auto input = read_input(kSum, folder / "huge");
  ASSERT_FALSE(input);
  EXPECT_NE(input.error().find("larger than"), std::string::npos);
}

TEST(Registry, KeepsTargetsInOrderOfName) {
  const Registration second{kText};
  const Registration first{kCanary};
  ASSERT_EQ(targets().size(), 2u);
  EXPECT_EQ(targets()[0]->name, "canary");
  EXPECT_EQ(targets()[1]->name, "text");
  EXPECT_EQ(find_target("text"), &kText);
  EXPECT_EQ(find_target("tex"), nullptr);
}

}  // namespace
}  // namespace vcpr::fuzz
