// A target's own mutations as AFL++ asks for them: what the mutator libraries (main/afl_mutator_main.cpp) export.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/target.hpp"
#include "properties/forms/choice.hpp"

namespace vcpr::fuzz {

class AflMutator {
 public:
  /// `seed` is AFL++'s (afl-fuzz -s, or a new one each time): equal seeds and calls give equal mutants.
  AflMutator(const Target& target, std::uint32_t seed) : target_(target), choice_(seed), swarm_(seed) {}

  /// A mutant of `input`, or, now and then, a child of it and of `other`, another input of AFL++'s queue. At most
  /// `capacity` bytes, valid until the next call. Empty: nothing to run, AFL++'s own mutations of the raw bytes come
  /// anyway; the target has no mutate, or the mutant does not fit.
  std::span<std::uint8_t> mutant(std::span<const std::uint8_t> input, std::span<const std::uint8_t> other,
                                 std::size_t capacity);

 private:
  const Target& target_;
  forms::Choice choice_;
  std::uint32_t swarm_;
  Bytes room_;
};

}  // namespace vcpr::fuzz
