// What arrived: the bytes of a whole stream and the descriptors that came with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/os/fd.hpp"

namespace vcpr::wire {

/// A CPR state larger than this is refused before it is stored: 100,000 entries of 40 bytes fit four times.
inline constexpr std::uint64_t kMaxStateBytes = 16u << 20;
/// Descriptors accepted with one stream; the kernel's own limit is the receiver's RLIMIT_NOFILE.
inline constexpr std::uint32_t kMaxStateDescriptors = 1u << 18;

/// A descriptor that came with a stream. It can serve any service byte at or after `first_byte`: it was received
/// together with the bytes from there on, or before them.
struct ArrivedFd {
  std::uint64_t first_byte = 0;
  os::Fd fd;
};

/// A complete stream in memory. Whatever is left in `descriptors` when the Inbox dies is closed.
struct Inbox {
  std::vector<std::byte> bytes;
  std::vector<ArrivedFd> descriptors;  ///< first in, first out
};

}  // namespace vcpr::wire
