// Random call sequences that both sides must answer alike.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "properties/conformance/world.hpp"

namespace vcpr::conformance {

/// The first descriptor a sequence gets; lower numbers are filled on every side, so numbers can be compared.
inline constexpr int kFirstNumber = 64;
/// The carrier: a socket pair at kFirstNumber and the number after it that no step closes. Sockets are only sent over
/// it, so that no cycle of queues waits for the kernel's collector, which works in its own time.
inline constexpr int kCarrierEnds = 2;

enum class Op : std::uint8_t {
  eventfd,
  memfd_create,
  open_link,
  socket,
  socketpair,
  bind,
  listen,
  accept,
  connect,
  unlink,
  shutdown,
  close,
  dup,
  dup_cloexec,
  set_fd,
  get_fd,
  set_flags,
  get_flags,
  add_seals,
  get_seals,
  read,
  write,
  write_counter,
  pread,
  pwrite,
  lseek,
  ftruncate,
  fstat,
  send,
  receive,
  poll,
  mmap,
  munmap,
  mprotect,
  load,
  store,
  set_limit,
};

/// One call with small operands; what they mean is the op's.
struct Step {
  Op op{};
  int fd = -1;  ///< or another small number
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::vector<int> fds;  ///< send
};

using Sequence = std::vector<Step>;

/// The same seed gives the same sequence.
Sequence generate_sequence(std::uint64_t seed, std::size_t length);
/// One line: "send(66, 12 bytes, fds 70 71)".
std::string print(const Step& step);
/// Runs on a fresh world; one line per step: what came of it.
std::vector<std::string> run_sequence(const Sequence& sequence, World& world);

}  // namespace vcpr::conformance
