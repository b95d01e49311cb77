// A source that sends exactly the bytes and descriptors it is told to, well formed or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"
#include "engine/wire/channel.hpp"

namespace vcpr::streams {

/// Descriptors in one message: twice what a QEMU receiver has room for.
inline constexpr std::size_t kMostTogether = 2 * wire::kDescriptorsPerMessage;

enum class Sent : std::uint8_t {
  something,
  all,
  nothing,  ///< the socket is full, or the peer is gone
};

/// A message ends before the next byte on which a descriptor rides, so that none arrives early unless asked to. What
/// rides behind the last byte is never sent: a descriptor needs a byte.
class StreamSender {
 public:
  /// `rides` ascend by offset; `chunk`: bytes a message has at most, 0 for no limit.
  StreamSender(os::Kernel& kernel, int socket, std::span<const std::byte> bytes, std::span<const wire::RidingFd> rides,
               std::size_t chunk)
      : kernel_(kernel), socket_(socket), bytes_(bytes), rides_(rides), chunk_(chunk) {}

  /// Sends the next message.
  Sent step();

 private:
  std::size_t riding_now() const;
  std::size_t message_size(std::size_t riding) const;

  os::Kernel& kernel_;
  int socket_;
  std::span<const std::byte> bytes_;  // what is left
  std::span<const wire::RidingFd> rides_;
  std::size_t chunk_;
  std::uint64_t offset_ = 0;
};

}  // namespace vcpr::streams
