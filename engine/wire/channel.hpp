// How streams travel: a unix stream socket with SCM_RIGHTS, or a memfd. Nothing here blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"
#include "engine/wire/inbox.hpp"
#include "engine/wire/outbox.hpp"

namespace vcpr::wire {

/// A QEMU receiver has room for this many in one message (its control buffer).
inline constexpr std::size_t kDescriptorsPerMessage = 16;

enum class Progress : std::uint8_t { done, would_block };

/// Sends an Outbox over a non-blocking stream socket, a piece per call; a message carries at most
/// kDescriptorsPerMessage descriptors, and none arrives later than its byte: descriptors ride on a message's first
/// byte (net/unix/af_unix.c, unix_stream_sendmsg), and the message reaches as far as the last of their bytes, or to the
/// end of the stream with the last of them all. Each is sent once, also when the socket takes only part of the bytes.
class SocketSender {
 public:
  SocketSender(os::Kernel& kernel, const Outbox& out) : kernel_(kernel), out_(out) {}
  /// Sends until everything is sent or the socket is full. Errors: peer_closed (EPIPE, ECONNRESET), os_error, gone.
  Expected<Progress> advance(int socket);

 private:
  struct Message {
    std::span<const std::byte> bytes;
    std::span<const RidingFd> riding;  ///< all on the first of the bytes
  };
  Message next_message() const;

  os::Kernel& kernel_;
  const Outbox& out_;
  std::uint64_t sent_bytes_ = 0;
  std::size_t sent_descriptors_ = 0;
};

/// Collects a stream until the peer's half-close. Received descriptors are close-on-exec.
class SocketReceiver {
 public:
  SocketReceiver(os::Kernel& kernel, Inbox& in) : kernel_(kernel), in_(in) {}
  /// Receives until end of stream (done) or until nothing is there. Errors: lost_descriptor (MSG_CTRUNC), too_long
  /// (kMaxStateBytes, kMaxStateDescriptors), peer_closed (ECONNRESET), os_error, gone. What had arrived stays in the
  /// Inbox, owned.
  Expected<Progress> advance(int socket);

 private:
  /// Owns every descriptor of a message before anything can fail, then stores its bytes.
  Expected<void> keep(std::span<const std::byte> data, std::span<const std::byte> control);

  os::Kernel& kernel_;
  Inbox& in_;
};

/// Writes a whole stream into an empty memfd; its offset is left at the end, as QEMU does. os_error (ENOSPC), gone;
/// then the memfd holds a part and is of no use.
Expected<void> write_memfd(os::Kernel& kernel, int memfd, std::span<const std::byte> bytes);
/// Rewinds and reads a whole memfd. too_long beyond kMaxStateBytes, os_error, gone.
Expected<std::vector<std::byte>> read_memfd(os::Kernel& kernel, int memfd);

}  // namespace vcpr::wire
