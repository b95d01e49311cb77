// A new process that is given a stream, by the engine's loader alone, over a socket, or through execve.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/handover/cpr_state.hpp"
#include "engine/os/clock.hpp"
#include "properties/bad_input/capture.hpp"
#include "properties/bad_input/verdict.hpp"
#include "properties/machine/machine.hpp"
#include "properties/streams/stand_in.hpp"

namespace vcpr::bad_input {

/// A descriptor that comes along: at which byte, and what it is.
struct Sent {
  std::uint64_t offset = 0;
  machine::Described what;
  std::optional<std::size_t> same_as = {};  ///< the one before it that is sent once more
};

/// One of the right kind for each seat.
std::vector<Sent> right_descriptors(const std::vector<Seat>& seats);

enum class End : std::uint8_t { half_close, silence };

/// One bad input for one capture.
struct Case {
  const Capture& capture;
  std::string what;
  streams::Stream bytes;
  std::vector<Sent> sent;
  End end = End::half_close;
  std::string when_accepted = {};  ///< the state then differs from the original in this, which no reader can see
  std::optional<std::string> environment = {};  ///< exec: in place of the memfd's number; "-" for no variable
};

/// In the seat of `at` sits one of this kind; where the name says another, nobody may accept it.
void replace_by(Case& bad, std::size_t at, store::DescriptorKind kind);

/// Time after which a peer that is silent has been given up, in the machine's clock.
inline constexpr os::Duration kPatience = os::Duration::seconds(5);

/// Plays the case and counts its verdict; fails the test for a leak, a close too many, a wait beyond the deadline, a
/// changed descriptor of a refused exec.
void play_loader(const Case& bad);  ///< load_cpr_state and verify_kinds, transfer encoding
void play_socket(const Case& bad);
void play_exec(const Case& bad);

}  // namespace vcpr::bad_input
