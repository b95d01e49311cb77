// Steps on a unix stream socket, none of which blocks.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::handover {

/// A socket that is close-on-exec; `path` for the error.
Expected<os::Fd> make_socket(os::Kernel& kernel, const std::string& path);
/// A listening one at `path`; the file is there only on success. os_error EADDRINUSE: somebody's file is there.
Expected<os::Fd> listen_at(os::Kernel& kernel, const std::string& path);

/// Whether the peer has closed its end, or died.
enum class HungUp : std::uint8_t {
  no,
  yes,
  with_bytes_unread,  ///< before it had read everything: the connection was reset (net/unix/af_unix.c)
};
Expected<HungUp> look_for_hang_up(os::Kernel& kernel, int socket);

/// What a receive came to.
enum class Arrived : std::uint8_t { bytes, nothing_yet, end };
/// Appends what is there, at most `limit` bytes. A reset connection is an end like another. os_error, gone.
Expected<Arrived> receive_some(os::Kernel& kernel, int socket, std::vector<std::byte>& bytes, std::size_t limit);

/// One byte; false when the socket is full. peer_closed, os_error, gone.
Expected<bool> send_byte(os::Kernel& kernel, int socket, std::byte byte);

}  // namespace vcpr::handover
