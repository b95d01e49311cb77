// What libFuzzer, AFL++ and honggfuzz call in a fuzz target.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fuzz/target.hpp"

// libFuzzer's own mutations. Weak: the drivers of other engines may not have it, and never call our mutator.
extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size,
                                                              std::size_t capacity);

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t capacity,
                                               unsigned seed);
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* left, std::size_t left_size,
                                                 const std::uint8_t* right, std::size_t right_size, std::uint8_t* child,
                                                 std::size_t capacity, unsigned seed);
// Looking for uses after return puts stack frames on the heap and costs a fifth of the speed; the tests (preset
// sanitize) still look. A run frees kilobytes: a larger quarantine only costs page faults. Who allocated what is found
// out when a find is played again by the replay program; keeping every stack costs a third. ASAN_OPTIONS overrules all.
extern "C" const char* __asan_default_options();  // NOLINT(bugprone-reserved-identifier)

const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "detect_stack_use_after_return=0:quarantine_size_mb=8:malloc_context_size=1";
}

namespace {

/// One mutation in this many is the engine's own, so that no byte string is out of reach.
constexpr unsigned kOwnMutationEvery = 4;

const vcpr::fuzz::Target& the_target() {
  static const vcpr::fuzz::Target& target = *vcpr::fuzz::targets().front();
  return target;
}

/// Asked for by a last argument, after libFuzzer's -ignore_remaining_args=1.
enum class Mutations {
  structured,
  blind,  ///< "--blind": libFuzzer's own of bytes alone, so that ci/planted sees what ours are worth
  none,   ///< "--unmutated": the corpus runs as it is, again and again, so that ci/bench compares targets on the same
          ///< inputs; at the end they say how many handovers that was
};

Mutations& mutations() {
  static Mutations asked_for = Mutations::structured;
  return asked_for;
}

std::uint64_t& handovers_made() {
  static std::uint64_t made = 0;
  return made;
}

void tell_handovers() {
  std::fprintf(stderr, "handovers: %ju\n", std::uintmax_t{handovers_made()});
}

}  // namespace

int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::string_view last = *argc > 1 ? (*argv)[*argc - 1] : "";
  if (last == "--unmutated") mutations() = Mutations::none;
  if (last == "--blind") mutations() = Mutations::blind;
  if (mutations() == Mutations::none) std::atexit(tell_handovers);
  if (vcpr::fuzz::targets().size() == 1) return 0;
  std::fputs("this program must hold exactly one target\n", stderr);
  std::exit(2);
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  handovers_made() += the_target().run({data, size}, nullptr).handovers;
  return 0;
}

std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t capacity, unsigned seed) {
  if (mutations() == Mutations::none) return size;
  static const std::uint32_t swarm = seed;  // the first of a run
  const auto mutate = the_target().mutate;
  if (mutations() == Mutations::structured && mutate != nullptr && seed % kOwnMutationEvery != 0) {
    if (const std::size_t mutated = mutate(data, size, capacity, {seed, swarm}); mutated != 0) return mutated;
  }
  return LLVMFuzzerMutate != nullptr ? LLVMFuzzerMutate(data, size, capacity) : size;
}

// libFuzzer asks for as many crossings as for mutations; at a 0 it draws again.
std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* left, std::size_t left_size, const std::uint8_t* right,
                                      std::size_t right_size, std::uint8_t* child, std::size_t capacity,
                                      unsigned seed) {
  const auto cross_over = the_target().cross_over;
  if (mutations() != Mutations::structured || cross_over == nullptr) return 0;
  if (seed % (vcpr::fuzz::kCrossOverEvery - 1) != 0) return 0;
  return cross_over({left, left_size}, {right, right_size}, {child, capacity}, seed);
}
