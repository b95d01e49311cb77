// A load takes memory in proportion to the bytes that are there, whatever the bytes announce.
#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <malloc.h>
#include <new>
#include <string>
#include <utility>

#include "engine/handover/cpr_state.hpp"
#include "engine/store/null_kernel.hpp"

namespace {

std::size_t bytes_held = 0;
std::size_t bytes_at_most = 0;

}  // namespace

// Every allocation of this test program is counted; only its growth inside a load is looked at.
void* operator new(std::size_t size) {
  void* memory = std::malloc(std::max<std::size_t>(size, 1));
  if (memory == nullptr) std::abort();
  bytes_held += malloc_usable_size(memory);
  bytes_at_most = std::max(bytes_at_most, bytes_held);
  return memory;
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) bytes_held -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}

namespace vcpr::handover {
namespace {

/// The most memory that was held beyond the stream itself while it was loaded.
std::size_t memory_of_load(std::vector<std::byte> bytes, bool expected_to_load) {
  store::NullKernel kernel;
  kernel.keeps_closed = false;
  std::size_t before = bytes_held;
  bytes_at_most = bytes_held;
  auto loaded = load_cpr_state(kernel, {std::move(bytes), {}}, Encoding::exec);
  EXPECT_EQ(loaded.has_value(), expected_to_load) << loaded.error().message();
  return bytes_at_most - before;
}

std::vector<std::byte> stream_of(int entries) {
  store::NullKernel kernel;
  kernel.keeps_closed = false;
  CprState state;
  for (int i = 0; i < entries; ++i) EXPECT_TRUE(state.descriptors.adopt({"n", i}, kernel, i));
  wire::Outbox out;
  EXPECT_TRUE(save_cpr_state(state, Encoding::exec, out));
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
}  // namespace vcpr::handover
