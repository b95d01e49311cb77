// The only door to the outside: one virtual member per syscall that the engine uses, raw in shape.
//
// One Kernel is one process image's view. It is not thread safe; a process that has threads gives each call to one of
// them at a time. Linux, the tracing decorator and the simulated machine (properties/machine) implement it.
//
// Every member returns the value of the syscall or its errno; Errno::gone when the image is dead, with no effect.
// Members that can block in the kernel do not here: descriptors are opened non-blocking and answer EAGAIN, and
// only poll() waits.
// A call that a signal interrupts before it had an effect is repeated behind this interface. EINTR comes only where
// that would be wrong or is the caller's to decide: from close, connect, poll, ioctl and execve.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/os/clock.hpp"
#include "engine/os/errno.hpp"
#include "engine/os/user_addr.hpp"

namespace vcpr::os {

/// The parts of struct stat that tell what a descriptor is.
struct Stat {
  std::uint64_t device = 0;          ///< st_dev
  std::uint64_t inode = 0;           ///< st_ino
  std::uint32_t mode = 0;            ///< st_mode, type and permission bits
  std::uint64_t special_device = 0;  ///< st_rdev of a device node
  std::uint64_t size = 0;            ///< st_size, bytes
};

/// Layout of struct pollfd.
struct PollFd {
  std::int32_t fd = -1;
  std::int16_t events = 0;
  std::int16_t revents = 0;
};

/// What recvmsg says beside the data.
struct Received {
  std::size_t bytes = 0;    ///< 0 with data space asked for: the peer has half-closed
  std::size_t control = 0;  ///< bytes of the control buffer that were filled
  int flags = 0;            ///< MSG_CTRUNC and its like
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // Any descriptor
  virtual Result<int> open(const char* path, int flags) = 0;
  virtual Result<void> close(int fd) = 0;
  /// dup, descriptor flags, status flags, seals: F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
  /// F_ADD_SEALS, F_GET_SEALS.
  virtual Result<int> fcntl(int fd, int command, std::int64_t argument) = 0;
  virtual Result<std::size_t> read(int fd, std::span<std::byte> buffer) = 0;
  virtual Result<std::size_t> write(int fd, std::span<const std::byte> buffer) = 0;
  virtual Result<std::size_t> pread(int fd, std::span<std::byte> buffer, std::uint64_t offset) = 0;
  virtual Result<std::size_t> pwrite(int fd, std::span<const std::byte> buffer, std::uint64_t offset) = 0;
  virtual Result<std::uint64_t> lseek(int fd, std::int64_t offset, int whence) = 0;
  virtual Result<void> ftruncate(int fd, std::uint64_t size) = 0;
  virtual Result<Stat> fstat(int fd) = 0;
  /// Target of a symbolic link, cut to the buffer; /proc/self/fd/N tells what anonymous descriptors are.
  virtual Result<std::size_t> readlink(const char* path, std::span<char> buffer) = 0;
  /// `argument` is the caller's own memory: a struct, or an integer in its place.
  virtual Result<int> ioctl(int fd, std::uint64_t request, void* argument) = 0;

  // Objects without a path
  virtual Result<int> eventfd(std::uint32_t initial, int flags) = 0;
  virtual Result<int> memfd_create(const char* name, std::uint32_t flags) = 0;

  // Address space. Lengths in bytes; the address 0 lets the kernel choose.
  virtual Result<UserAddr> mmap(UserAddr address, std::uint64_t length, int protection, int flags, int fd,
                                std::uint64_t offset) = 0;
  virtual Result<void> munmap(UserAddr address, std::uint64_t length) = 0;
  virtual Result<void> mprotect(UserAddr address, std::uint64_t length, int protection) = 0;

  // Unix sockets. A path is the text of sun_path, at most 107 bytes.
  virtual Result<int> socket(int domain, int type, int protocol) = 0;
  virtual Result<std::pair<int, int>> socketpair(int domain, int type, int protocol) = 0;
  virtual Result<void> bind(int fd, std::string_view path) = 0;
  virtual Result<void> listen(int fd, int backlog) = 0;
  virtual Result<int> accept4(int fd, int flags) = 0;
  virtual Result<void> connect(int fd, std::string_view path) = 0;
  virtual Result<void> shutdown(int fd, int how) = 0;
  virtual Result<void> unlink(const char* path) = 0;
  /// One data buffer, one control buffer in the layout of cmsg(3); see scm_rights.hpp.
  virtual Result<std::size_t> sendmsg(int fd, std::span<const std::byte> data, std::span<const std::byte> control,
                                      int flags) = 0;
  virtual Result<Received> recvmsg(int fd, std::span<std::byte> data, std::span<std::byte> control, int flags) = 0;
  /// Waits until an event or the deadline; a deadline that has passed only looks. Returns how many have revents;
  /// EINTR when a signal came first.
  virtual Result<int> poll(std::span<PollFd> fds, Deadline deadline) = 0;

  // The process
  virtual std::optional<std::string> getenv(const char* name) = 0;
  virtual Result<void> setenv(const char* name, const char* value) = 0;
  virtual Result<void> unsetenv(const char* name) = 0;
  /// Runs `path` with these arguments and the environment as it stands; returns only on failure (in the simulated
  /// machine success answers Errno::gone: this image is dead and a new one has started in the process).
  virtual Result<void> execve(const char* path, std::span<const char* const> arguments) = 0;
  /// CLOCK_MONOTONIC.
  virtual std::uint64_t now() = 0;
};

}  // namespace vcpr::os
