// Short forms of the calls that cases are made of.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/scm_rights.hpp"
#include "properties/conformance/case.hpp"

namespace vcpr::conformance {

namespace abi = os::abi;
using os::Errno;
inline constexpr std::uint64_t kPage = 4096;
inline constexpr int kNonBlockingStream = abi::sock_stream | abi::sock_nonblock | abi::sock_cloexec;

/// eventfd, non-blocking and close-on-exec.
int make_eventfd(os::Kernel& kernel, std::uint32_t initial, int flags = 0);
/// The counter that was read, or the errno.
Outcome read_counter(os::Kernel& kernel, int fd);
Outcome write_counter(os::Kernel& kernel, int fd, std::uint64_t value);
/// IN, OUT, ERR, HUP, RDHUP as poll reports them now.
Outcome events(os::Kernel& kernel, int fd);
Outcome read_bytes(os::Kernel& kernel, int fd, std::size_t bytes);
Outcome write_text(os::Kernel& kernel, int fd, std::string_view text);

/// One message with its descriptors in up to two SCM_RIGHTS headers.
Outcome send(os::Kernel& kernel, int socket, std::string_view text, std::span<const int> first = {},
             std::span<const int> second = {}, int flags = abi::msg_nosignal);
Outcome send(os::Kernel& kernel, int socket, std::string_view text, std::initializer_list<int> fds);

/// What one recvmsg brought.
struct Arrived {
  Outcome bytes = 0;
  std::vector<int> fds;
  int headers = 0;
  bool truncated = false;
  std::string text;
};
Arrived receive(os::Kernel& kernel, int socket, std::size_t bytes, std::size_t control_bytes, int flags = 0);
void close_all(os::Kernel& kernel, std::span<const int> fds);

/// Whether two descriptors are of one inode: 1 or 0.
Outcome same_file(os::Kernel& kernel, int one, int other);

/// A connected pair, and a second one whose far end tells by end-of-file that no reference to the near one is left.
struct Pairs {
  explicit Pairs(os::Kernel& kernel);
  int left, right;   ///< the pair under test
  int probe, watch;  ///< pass `probe` around, read `watch`: EAGAIN while it lives, 0 when it is gone
};

}  // namespace vcpr::conformance
