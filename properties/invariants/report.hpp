// How a violation reaches a fuzzing engine: as an abort from a function named after its invariant, so that crash
// grouping tells them apart.
#pragma once

#include <cstdlib>

#include "properties/invariants/invariants.hpp"

namespace vcpr::invariants {

/// "FUNCTION: wanted: ...; found: ..." to standard error.
void say(const char* function, const Violation& violation);

/// Defines invariant_NUMBERS_NAME(violation), which says it and aborts itself: what it called would be the top of the
/// stack. Each has its own text, so that no linker or optimiser folds two of them into one.
#define VCPR_INVARIANT_REPORT(numbers, name)                                                                     \
  [[noreturn, gnu::noinline]] void invariant_##numbers##_##name(const ::vcpr::invariants::Violation& violation); \
  void invariant_##numbers##_##name(const ::vcpr::invariants::Violation& violation) {                            \
    ::vcpr::invariants::say("invariant_" #numbers "_" #name, violation);                                         \
    std::abort();                                                                                                \
  }

/// Of a violation that no list has.
[[noreturn]] void report_unknown(const Violation& violation);

}  // namespace vcpr::invariants
