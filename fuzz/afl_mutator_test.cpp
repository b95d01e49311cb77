// AFL++ has a mutator of its own only where the target has one, and what it draws depends on its seed alone.
#include "fuzz/afl_mutator.hpp"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>

namespace vcpr::fuzz {
namespace {

Ran run_nothing(std::span<const std::uint8_t> /*input*/, const Explain* /*explain*/) {
  return 0;
}

/// Appends its seed.
std::size_t append_seed(std::uint8_t* data, std::size_t size, std::size_t capacity, Draw draw) {
  if (size + sizeof draw.seed > capacity) return 0;
  std::memcpy(data + size, &draw.seed, sizeof draw.seed);
  return size + sizeof draw.seed;
}

/// The left one's first byte and the right one's last.
std::size_t first_and_last(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right,
                           std::span<std::uint8_t> child, std::uint32_t /*seed*/) {
  if (child.size() < 2) return 0;
  child[0] = left.front();
  child[1] = right.back();
  return 2;
}

constexpr Target kRaw{"raw", "test", run_nothing};
constexpr Target kMutated{"mutated", "test", run_nothing, append_seed};
constexpr Target kCrossed{"crossed", "test", run_nothing, append_seed, nullptr, nullptr, first_and_last};

const Bytes kInput{1, 2, 3};
const Bytes kOther{7, 8, 9};
const Bytes kChild{1, 9};

Bytes draw(AflMutator& mutator, std::size_t capacity = 64) {
  const auto mutant = mutator.mutant(kInput, kOther, capacity);
  return {mutant.begin(), mutant.end()};
}

TEST(AflMutator, LeavesATargetWithoutMutateToAfl) {
  AflMutator mutator(kRaw, 1);
  EXPECT_TRUE(draw(mutator).empty());
}

TEST(AflMutator, MutatesTheWholeInput) {
  AflMutator mutator(kMutated, 1);
  const Bytes mutant = draw(mutator);
  ASSERT_EQ(mutant.size(), kInput.size() + 4);
  EXPECT_TRUE(std::equal(kInput.begin(), kInput.end(), mutant.begin()));
}

TEST(AflMutator, DrawsTheSameFromOneSeedAndAnotherFromAnother) {
  AflMutator first(kCrossed, 5);
  AflMutator second(kCrossed, 5);
  AflMutator third(kCrossed, 6);
  unsigned differences = 0;
  for (unsigned call = 0; call < 100; ++call) {
    const Bytes mutant = draw(first);
    EXPECT_EQ(mutant, draw(second));
    differences += mutant != draw(third);
  }
  EXPECT_GT(differences, 50u);
}

TEST(AflMutator, NeverDrawsTheSameSeedTwiceInARow) {
  AflMutator mutator(kMutated, 1);
  EXPECT_NE(draw(mutator), draw(mutator));
}

TEST(AflMutator, CrossesOnceInAWhile) {
  AflMutator mutator(kCrossed, 1);
  unsigned children = 0;
  for (unsigned call = 0; call < 1000; ++call) children += draw(mutator) == kChild;
  EXPECT_NEAR(children, 1000 / kCrossOverEvery, 60);
}

TEST(AflMutator, DoesNotCrossWithNothing) {
  AflMutator mutator(kCrossed, 1);
  for (unsigned call = 0; call < 100; ++call) EXPECT_EQ(mutator.mutant(kInput, {}, 64).size(), kInput.size() + 4);
}

TEST(AflMutator, MakesNothingThatDoesNotFit) {
  AflMutator mutator(kCrossed, 1);
  for (unsigned call = 0; call < 100; ++call) EXPECT_TRUE(draw(mutator, 1).empty());
}

}  // namespace
}  // namespace vcpr::fuzz
