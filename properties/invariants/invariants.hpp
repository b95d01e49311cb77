// What must hold of a handover of the CPR state. README.md in this folder states each in a line.
//
// Every invariant is a pure function of a World: a violation, or nothing. What a World does not show (no new process
// yet, no second save) violates nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "properties/invariants/world.hpp"

namespace vcpr::invariants {

/// Two facts that cannot both be.
struct Violation {
  std::string_view invariant;  ///< "I3"
  std::string wanted;          ///< what follows from one side
  std::string found;           ///< what the other side shows
  std::string_view name{};     ///< of the function, where another room has the list; else looked up by number
};
using Verdict = std::optional<Violation>;

Verdict every_saved_entry_arrives(const World& world);                     // I1
Verdict every_received_descriptor_has_one_owner(const World& world);       // I3
Verdict old_closes_nothing_for_the_handover(const World& world);           // I4
Verdict keys_are_unique_and_descriptors_open(const World& world);          // I5
Verdict received_descriptors_close_on_exec(const World& world);            // I6
Verdict status_flags_and_offsets_stay(const World& world);                 // I7
Verdict nothing_stays_unclaimed(const World& world);                       // I9
Verdict saving_what_was_loaded_gives_the_same_stream(const World& world);  // I38
Verdict damage_is_refused_or_harmless(const World& world);                 // I39
Verdict old_keeps_nothing_of_the_handover(const World& world);             // S3
Verdict every_attempt_ends(const World& world);                            // S1
Verdict outcomes_have_reasons(const World& world);                         // S2

/// When an invariant is worth asking.
enum class Moment : std::uint8_t {
  every_call,  ///< holds between any two calls, and is cheap
  end,         ///< holds when an attempt is over
};

struct Invariant {
  std::string_view number;  ///< "I3"
  std::string_view name;    ///< "every_received_descriptor_has_one_owner"
  Moment moment{};
  Verdict (*check)(const World& world) = nullptr;
  /// Prints the violation and aborts, from a function called invariant_NUMBER_NAME: crash grouping goes by it.
  void (*report)(const Violation& violation) = nullptr;
};

/// All of them, in the order of README.md.
std::span<const Invariant> invariants();
/// The first violation among those of this moment; at the end all are asked.
Verdict check(const World& world, Moment moment);
/// For fuzz targets only: ends the program in the function named after the invariant.
[[noreturn]] void report(const Violation& violation);
/// "I3 every_received_descriptor_has_one_owner: wanted ..., found ...".
std::string text(const Violation& violation);

}  // namespace vcpr::invariants
