#include <array>
#include <cstdio>
#include <cstdlib>

#include "properties/invariants/report.hpp"

namespace vcpr::invariants {

void say(const char* function, const Violation& violation) {
  std::fprintf(stderr, "%s: wanted: %s; found: %s\n", function, violation.wanted.c_str(), violation.found.c_str());
}

void report_unknown(const Violation& violation) {
  say("invariant_unknown", violation);
  std::abort();
}

#define VCPR_INVARIANTS(X)                                  \
  X(I1, every_saved_entry_arrives, end)                     \
  X(I3, every_received_descriptor_has_one_owner, end)       \
  X(I4, old_closes_nothing_for_the_handover, every_call)    \
  X(I5, keys_are_unique_and_descriptors_open, every_call)   \
  X(I6, received_descriptors_close_on_exec, every_call)     \
  X(I7, status_flags_and_offsets_stay, every_call)          \
  X(I9, nothing_stays_unclaimed, end)                       \
  X(I38, saving_what_was_loaded_gives_the_same_stream, end) \
  X(I39, damage_is_refused_or_harmless, end)                \
  X(S1, every_attempt_ends, end)                            \
  X(S2, outcomes_have_reasons, end)                         \
  X(S3, old_keeps_nothing_of_the_handover, end)

#define VCPR_REPORT(number, name, moment) VCPR_INVARIANT_REPORT(number, name)
VCPR_INVARIANTS(VCPR_REPORT)
#undef VCPR_REPORT

namespace {

#define VCPR_ROW(number, name, moment) Invariant{#number, #name, Moment::moment, name, invariant_##number##_##name},
constexpr std::array kInvariants{VCPR_INVARIANTS(VCPR_ROW)};
#undef VCPR_ROW

const Invariant* find(std::string_view number) {
  for (const Invariant& invariant : kInvariants) {
    if (invariant.number == number) return &invariant;
  }
  return nullptr;
}

}  // namespace

std::span<const Invariant> invariants() {
  return kInvariants;
}

Verdict check(const World& world, Moment moment) {
  for (const Invariant& invariant : kInvariants) {
    if (moment == Moment::every_call && invariant.moment != Moment::every_call) continue;
    if (Verdict verdict = invariant.check(world)) return verdict;
  }
  return std::nullopt;
}

void report(const Violation& violation) {
  if (const Invariant* invariant = find(violation.invariant)) invariant->report(violation);
  report_unknown(violation);
}

std::string text(const Violation& violation) {
  const Invariant* invariant = find(violation.invariant);
  std::string text(violation.invariant);
  if (!violation.name.empty()) {
    text.append(" ").append(violation.name);
  } else if (invariant != nullptr) {
    text.append(" ").append(invariant->name);
  }
  return text + ": wanted: " + violation.wanted + "; found: " + violation.found;
}

}  // namespace vcpr::invariants
