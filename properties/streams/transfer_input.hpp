// The input of everything that loads a CPR state from a socket: the bytes, and how its descriptors arrive.
//
//   "QCPR"...                 a stream as recorded: every descriptor comes with its byte or earlier, then half-close
//   eight bytes, a stream     the first say what is different; all zero is as recorded
//
//   0  what the target accepts (modulo 3): current, QEMU 10.0, stub; times 3: how the stream ends (Ending)
//   1  descriptors more (below 128) or less than service bytes, modulo 8
//   2  how many descriptors ride together on the byte of the first, 1: each on its own (0: 16, as this engine sends)
//   3  bytes a message has at most (0: no limit)
//   4  kinds: 0 as the names want them; else entry (value / 16) has kind (value % 16)
//   5  each rides this many bytes late, modulo 16; times 16: sent so many messages between two steps of the target
//   6  RLIMIT_NOFILE of the target (0: as the machine has it)
//   7  1 modulo 2: all are one open file description
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/handover/cpr_state.hpp"
#include "properties/streams/field_map.hpp"

namespace vcpr::streams {

inline constexpr std::size_t kHeaderBytes = 8;

enum class Ending : std::uint8_t { half_close, close, silence, kill };

struct TransferInput {
  handover::Peer peer{};
  Ending ending{};
  int surplus = 0;
  std::uint32_t together = 0;
  std::uint32_t chunk = 0;
  std::uint8_t odd_entry = 0;
  std::uint8_t odd_kind = 0;  ///< 0: none is odd; else a store::DescriptorKind
  std::uint32_t late = 0;
  std::uint32_t messages_per_step = 0;  ///< 0: all before the target's first step
  std::uint32_t descriptor_limit = 0;
  bool one_description = false;
  std::span<const std::byte> stream;
};

/// Every byte string is an input; missing bytes are zero.
TransferInput decode_transfer(std::span<const std::uint8_t> input);

/// Whether the input asks for something that only a socket can do: messages of few bytes, a target that looks between
/// them, another end than the half-close, a target short of numbers.
bool needs_socket(const TransferInput& input);

/// "peer current, half_close, surplus 0, ...": one line.
std::string describe(const TransferInput& input);

/// Mutates the header or the stream behind it (mutate.hpp), for inputs of transfer and exec kind.
std::size_t mutate_input(StreamKind kind, std::uint8_t* data, std::size_t size, std::size_t capacity,
                         std::uint32_t seed);

/// True when the input begins with the magic of a CPR state: then it has no header.
bool is_recorded(std::span<const std::uint8_t> input);

}  // namespace vcpr::streams
