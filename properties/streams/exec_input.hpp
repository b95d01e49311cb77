// The input of everything that loads a CPR state after execve: the bytes of the memfd, and what else the process has.
//
//   "QCPR"...                 a state as recorded: memfd, environment and every descriptor are in order
//   eight bytes, a state      the first say what is different; all zero is as recorded
//
//   0  what the new image accepts (modulo 3): current, QEMU 10.0, stub
//   1  the variable: 0 names the memfd; else one of environment_texts(), or absent
//   2  position of the memfd: 0 at its end, else at this byte
//   3  the object: 0 the memfd; else a stand-in of kind (value % 9)
//   4  kinds: 0 as the names want them; else entry (value / 16) has kind (value % 16)
//   5  entry (value - 1) % 64 has no descriptor (0: every one has)
//   6  descriptors are close-on-exec already: 1 modulo 2
//   7  unused
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/handover/exec.hpp"
#include "properties/machine/machine.hpp"
#include "properties/streams/transfer_input.hpp"

namespace vcpr::streams {

struct ExecInput {
  handover::Peer peer{};
  std::uint8_t variable = 0;
  std::uint8_t position = 0;
  std::uint8_t object_kind = 0;  ///< 0: the memfd; else a store::DescriptorKind
  std::uint8_t odd_entry = 0;
  std::uint8_t odd_kind = 0;
  std::uint8_t missing_entry = 0;  ///< counted from 1; 0: none
  bool close_on_exec = false;
  std::span<const std::byte> stream;
};

/// Every byte string is an input; missing bytes are zero.
ExecInput decode_exec(std::span<const std::uint8_t> input);
std::string describe(const ExecInput& input);

/// What the variable can hold beside the right number; the first means that it is absent.
std::span<const char* const> environment_texts();

/// Gives the process what an execve would have left it: descriptors under the numbers that the state names, as far as
/// they are free and within its limit, the memfd, the variable. Returns the number of the memfd.
int furnish(machine::Process& process, const ExecInput& input);

}  // namespace vcpr::streams
