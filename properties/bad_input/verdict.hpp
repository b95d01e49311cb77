// What became of one bad input, and the table of all of them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "properties/bad_input/capture.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::bad_input {

enum class Verdict : std::uint8_t {
  refused,       ///< a clean error, by the load or by the new process that claims what it needs
  timed_out,     ///< exactly at the deadline
  equal,         ///< accepted, and the state is the original's
  undetectable,  ///< accepted with another state that a writer could have meant; listed by reason
  silent,        ///< accepted although something was lost: a failure
};
inline constexpr std::size_t kVerdicts = 5;

/// What a new process finds right: the state of the undamaged stream, and what each descriptor was.
struct Original {
  invariants::PlainState state;
  std::map<std::pair<std::string, std::int32_t>, std::uint32_t> descriptions;  ///< by key
};

struct Judgement {
  Verdict verdict{};
  std::string reason;
};

/// As a new process that needs exactly the original's entries and devices. Claims in the loaded state.
Judgement judge(const Original& original, std::span<const std::byte> stream, handover::Encoding encoding,
                const machine::Process& process, Expected<handover::CprState>& result);

// Defined in the test program (table_test.cpp), which has the test framework.
/// Adds a case to the table of this program; a silent one fails the test with `what` was done to which stream.
void count(streams::StreamKind kind, const Judgement& judgement, const std::string& what);
/// Something that no case may do happened.
void fail(const std::string& what, const std::string& why);

}  // namespace vcpr::bad_input
