// A library for AFL_CUSTOM_MUTATOR_LIBRARY, one a target: bin/fuzz_NAME.so beside bin/fuzz_NAME of the preset afl. The
// interface is AFL++'s docs/custom_mutators.md.
#include <cstdio>

#include "fuzz/afl_mutator.hpp"

using vcpr::fuzz::AflMutator;

extern "C" void* afl_custom_init(void* afl, unsigned seed);
extern "C" std::size_t afl_custom_fuzz(void* mutator, std::uint8_t* input, std::size_t size, std::uint8_t** mutant,
                                       std::uint8_t* other, std::size_t other_size, std::size_t capacity);
extern "C" void afl_custom_deinit(void* mutator);

/// Null, at which afl-fuzz gives up, when the library does not hold exactly one target.
void* afl_custom_init(void* /*afl*/, unsigned seed) {
  if (vcpr::fuzz::targets().size() == 1) return new AflMutator(*vcpr::fuzz::targets().front(), seed);
  std::fputs("this library must hold exactly one target\n", stderr);
  return nullptr;
}

std::size_t afl_custom_fuzz(void* mutator, std::uint8_t* input, std::size_t size, std::uint8_t** mutant,
                            std::uint8_t* other, std::size_t other_size, std::size_t capacity) {
  const auto made = static_cast<AflMutator*>(mutator)->mutant({input, size}, {other, other_size}, capacity);
  *mutant = made.empty() ? input : made.data();  // afl-fuzz gives up at a null
  return made.size();
}

void afl_custom_deinit(void* mutator) {
  delete static_cast<AflMutator*>(mutator);
}

// The rooms are instrumented here as they are in the target, and afl-fuzz has nothing that would count.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" void __sanitizer_cov_trace_pc_guard(std::uint32_t* guard);
extern "C" void __sanitizer_cov_trace_pc_guard_init(std::uint32_t* begin, std::uint32_t* end);

void __sanitizer_cov_trace_pc_guard(std::uint32_t* /*guard*/) {}

void __sanitizer_cov_trace_pc_guard_init(std::uint32_t* /*begin*/, std::uint32_t* /*end*/) {}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
