#include "engine/os/linux_kernel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <vector>

namespace vcpr::os {

namespace {

static_assert(sizeof(PollFd) == sizeof(pollfd) && alignof(PollFd) == alignof(pollfd));
static_assert(offsetof(PollFd, fd) == offsetof(pollfd, fd) && offsetof(PollFd, events) == offsetof(pollfd, events) &&
              offsetof(PollFd, revents) == offsetof(pollfd, revents));

std::unexpected<Errno> failure() {
  return std::unexpected(static_cast<Errno>(errno));
}

/// A call that answers 0 or -1.
Result<void> done(int result) {
  if (result < 0) return failure();
  return {};
}

/// A call that answers a count, a number or -1.
template <class Value, class Raw>
Result<Value> value(Raw result) {
  if (result < 0) return failure();
  return static_cast<Value>(result);
}

/// Repeats a call that a signal interrupted before it had any effect.
template <class Call>
auto retried(Call call) {
  for (;;) {
    auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

void* pointer(UserAddr address) {
  return reinterpret_cast<void*>(address.value());
}

struct UnixAddress {
  sockaddr_un text{};
  socklen_t length = 0;
  const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&text); }
};

/// EINVAL for a path that does not fit, as the kernel answers (net/unix/af_unix.c, unix_validate_addr).
Result<UnixAddress> unix_address(std::string_view path) {
  UnixAddress address;
  if (path.size() >= sizeof address.text.sun_path) return std::unexpected(Errno::einval);
  address.text.sun_family = AF_UNIX;
  std::ranges::copy(path, address.text.sun_path);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return address;
}

timespec until(Deadline deadline, std::uint64_t now) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  std::uint64_t left = deadline.passed(now) ? 0 : deadline.nanoseconds - now;
  return {.tv_sec = static_cast<time_t>(left / kSecond), .tv_nsec = static_cast<long>(left % kSecond)};
}

class LinuxKernel final : public Kernel {
 public:
  Result<int> open(const char* path, int flags) override {
    constexpr mode_t kMode = 0600;  // used only with O_CREAT
    return value<int>(retried([&] { return ::open(path, flags, kMode); }));
  }
  // The descriptor is gone even after EINTR, and its number may be another's by now.
  Result<void> close(int fd) override { return done(::close(fd)); }
  Result<int> fcntl(int fd, int command, std::int64_t argument) override {
    return value<int>(retried([&] { return ::fcntl(fd, command, argument); }));
  }
  Result<std::size_t> read(int fd, std::span<std::byte> buffer) override {
    return value<std::size_t>(retried([&] { return ::read(fd, buffer.data(), buffer.size()); }));
  }
  Result<std::size_t> write(int fd, std::span<const std::byte> buffer) override {
    return value<std::size_t>(retried([&] { return ::write(fd, buffer.data(), buffer.size()); }));
  }
  Result<std::size_t> pread(int fd, std::span<std::byte> buffer, std::uint64_t offset) override {
    auto at = static_cast<off_t>(offset);
    return value<std::size_t>(retried([&] { return ::pread(fd, buffer.data(), buffer.size(), at); }));
  }
  Result<std::size_t> pwrite(int fd, std::span<const std::byte> buffer, std::uint64_t offset) override {
    auto at = static_cast<off_t>(offset);
    return value<std::size_t>(retried([&] { return ::pwrite(fd, buffer.data(), buffer.size(), at); }));
  }
  Result<std::uint64_t> lseek(int fd, std::int64_t offset, int whence) override {
    return value<std::uint64_t>(::lseek(fd, offset, whence));
  }
  Result<void> ftruncate(int fd, std::uint64_t size) override {
    return done(retried([&] { return ::ftruncate(fd, static_cast<off_t>(size)); }));
  }
  Result<Stat> fstat(int fd) override {
    struct stat found{};
    if (::fstat(fd, &found) < 0) return failure();
    return Stat{.device = found.st_dev,
                .inode = found.st_ino,
                .mode = found.st_mode,
                .special_device = found.st_rdev,
                .size = static_cast<std::uint64_t>(found.st_size)};
  }
  Result<std::size_t> readlink(const char* path, std::span<char> buffer) override {
    return value<std::size_t>(::readlink(path, buffer.data(), buffer.size()));
  }
  // Not repeated: EINTR is an answer of KVM_RUN.
  Result<int> ioctl(int fd, std::uint64_t request, void* argument) override {
    return value<int>(::ioctl(fd, request, argument));
  }

  Result<int> eventfd(std::uint32_t initial, int flags) override { return value<int>(::eventfd(initial, flags)); }
  Result<int> memfd_create(const char* name, std::uint32_t flags) override {
    return value<int>(::memfd_create(name, flags));
  }

  Result<UserAddr> mmap(UserAddr address, std::uint64_t length, int protection, int flags, int fd,
                        std::uint64_t offset) override {
    void* mapped = ::mmap(pointer(address), length, protection, flags, fd, static_cast<off_t>(offset));
    if (mapped == MAP_FAILED) return failure();
    return UserAddr(reinterpret_cast<std::uint64_t>(mapped));
  }
  Result<void> munmap(UserAddr address, std::uint64_t length) override {
    return done(::munmap(pointer(address), length));
  }
  Result<void> mprotect(UserAddr address, std::uint64_t length, int protection) override {
    return done(::mprotect(pointer(address), length, protection));
  }

  Result<int> socket(int domain, int type, int protocol) override {
    return value<int>(::socket(domain, type, protocol));
  }
  Result<std::pair<int, int>> socketpair(int domain, int type, int protocol) override {
    std::array<int, 2> ends{};
    if (::socketpair(domain, type, protocol, ends.data()) < 0) return failure();
    return std::pair(ends[0], ends[1]);
  }
  Result<void> bind(int fd, std::string_view path) override {
    auto address = unix_address(path);
    if (!address) return std::unexpected(address.error());
    return done(::bind(fd, address->generic(), address->length));
  }
  Result<void> listen(int fd, int backlog) override { return done(::listen(fd, backlog)); }
  Result<int> accept4(int fd, int flags) override {
    return value<int>(retried([&] { return ::accept4(fd, nullptr, nullptr, flags); }));
  }
  // Not repeated: an interrupted connect may go on by itself.
  Result<void> connect(int fd, std::string_view path) override {
    auto address = unix_address(path);
    if (!address) return std::unexpected(address.error());
    return done(::connect(fd, address->generic(), address->length));
  }
  Result<void> shutdown(int fd, int how) override { return done(::shutdown(fd, how)); }
  Result<void> unlink(const char* path) override { return done(::unlink(path)); }
  Result<std::size_t> sendmsg(int fd, std::span<const std::byte> data, std::span<const std::byte> control,
                              int flags) override {
    iovec part{.iov_base = const_cast<std::byte*>(data.data()), .iov_len = data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = const_cast<std::byte*>(control.data());
    message.msg_controllen = control.size();
    return value<std::size_t>(retried([&] { return ::sendmsg(fd, &message, flags); }));
  }
  Result<Received> recvmsg(int fd, std::span<std::byte> data, std::span<std::byte> control, int flags) override {
    iovec part{.iov_base = data.data(), .iov_len = data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t bytes = retried([&] { return ::recvmsg(fd, &message, flags); });
    if (bytes < 0) return failure();
    return Received{static_cast<std::size_t>(bytes), message.msg_controllen, message.msg_flags};
  }
  Result<int> poll(std::span<PollFd> fds, Deadline deadline) override {
    timespec left = until(deadline, now());
    const timespec* wait = deadline == Deadline::never() ? nullptr : &left;
    return value<int>(::ppoll(reinterpret_cast<pollfd*>(fds.data()), fds.size(), wait, nullptr));
  }

  std::optional<std::string> getenv(const char* name) override {
    const char* text = std::getenv(name);
    if (text == nullptr) return std::nullopt;
    return text;
  }
  Result<void> setenv(const char* name, const char* value) override { return done(::setenv(name, value, 1)); }
  Result<void> unsetenv(const char* name) override { return done(::unsetenv(name)); }
  Result<void> execve(const char* path, std::span<const char* const> arguments) override {
    std::vector<char*> vector;
    for (const char* argument : arguments) vector.push_back(const_cast<char*>(argument));
    vector.push_back(nullptr);
    return done(::execve(path, vector.data(), environ));
  }
  std::uint64_t now() override {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
  }
};

}  // namespace

std::unique_ptr<Kernel> linux_kernel() {
  return std::make_unique<LinuxKernel>();
}

}  // namespace vcpr::os
