// A load takes memory in proportion to the bytes that are there, whatever the bytes announce.
#include <gtest/gtest.h>
#include <utility>

#include "engine/handover/cpr_state.hpp"
#include "engine/store/null_kernel.hpp"
#include "properties/bad_input/allocations.hpp"

namespace vcpr::bad_input {
namespace {

using handover::CprState;
using handover::Encoding;
using handover::kLoadMemoryFactor;
using handover::kLoadSlackBytes;

/// The most memory that was held beyond the stream itself while it was loaded.
std::size_t memory_of_load(std::vector<std::byte> bytes, bool expected_to_load) {
  store::NullKernel kernel;
  kernel.keeps_closed = false;
  const Allocations allocations;
  auto loaded = handover::load_cpr_state(kernel, {std::move(bytes), {}}, Encoding::exec);
  EXPECT_EQ(loaded.has_value(), expected_to_load) << loaded.error().message();
  return allocations.peak();
}

std::vector<std::byte> stream_of(int entries) {
  store::NullKernel kernel;
  kernel.keeps_closed = false;
  CprState state;
  for (int i = 0; i < entries; ++i) EXPECT_TRUE(state.descriptors.adopt({"n", i}, kernel, i));
  wire::Outbox out;
  EXPECT_TRUE(handover::save_cpr_state(state, Encoding::exec, out));
  return out.bytes;
}

TEST(CprStateMemory, TheShortestEntriesStayWithinTheNamedFactor) {
  for (int entries : {0, 1, 8, 9, 17, 33, 100, 257, 1000, 4097, 40000}) {
    auto bytes = stream_of(entries);
    std::size_t limit = bytes.size() * kLoadMemoryFactor + kLoadSlackBytes;
    std::size_t used = memory_of_load(bytes, true);
    EXPECT_LE(used, limit) << entries << " entries: " << static_cast<double>(used) / static_cast<double>(bytes.size());
  }
}

TEST(CprStateMemory, AnAnnouncedLengthTakesNoMemory) {
  auto bytes = stream_of(1);
  for (std::size_t at : {9u, 10u, 11u}) {
    auto damaged = bytes;
    damaged[at] = std::byte{0xff};
    EXPECT_LE(memory_of_load(damaged, false), damaged.size() * kLoadMemoryFactor + kLoadSlackBytes);
  }
}

}  // namespace
}  // namespace vcpr::bad_input
