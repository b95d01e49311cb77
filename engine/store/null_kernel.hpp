// A Kernel for tests and benchmarks of pure data: it only notes what is closed.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/os/kernel.hpp"

namespace vcpr::store {

/// Every descriptor is open and every close succeeds; all else is ENOSYS.
class NullKernel : public os::Kernel {
  template <class T>
  using Result = os::Result<T>;
  static auto no() { return std::unexpected(os::Errno::enosys); }

 public:
  bool keeps_closed = true;  ///< a benchmark keeps nothing
  std::vector<int> closed;   ///< in order

  Result<void> close(int fd) override {
    if (keeps_closed) closed.push_back(fd);
    return {};
  }
  Result<int> fcntl(int, int, std::int64_t) override { return 0; }

  Result<int> open(const char*, int) override { return no(); }
  Result<std::size_t> read(int, std::span<std::byte>) override { return no(); }
  Result<std::size_t> write(int, std::span<const std::byte>) override { return no(); }
  Result<std::size_t> pread(int, std::span<std::byte>, std::uint64_t) override { return no(); }
  Result<std::size_t> pwrite(int, std::span<const std::byte>, std::uint64_t) override { return no(); }
  Result<std::uint64_t> lseek(int, std::int64_t, int) override { return no(); }
  Result<void> ftruncate(int, std::uint64_t) override { return no(); }
  Result<os::Stat> fstat(int) override { return no(); }
  Result<std::size_t> readlink(const char*, std::span<char>) override { return no(); }
  Result<int> ioctl(int, std::uint64_t, void*) override { return no(); }
  Result<int> eventfd(std::uint32_t, int) override { return no(); }
  Result<int> memfd_create(const char*, std::uint32_t) override { return no(); }
  Result<os::UserAddr> mmap(os::UserAddr, std::uint64_t, int, int, int, std::uint64_t) override { return no(); }
  Result<void> munmap(os::UserAddr, std::uint64_t) override { return no(); }
  Result<void> mprotect(os::UserAddr, std::uint64_t, int) override { return no(); }
  Result<int> socket(int, int, int) override { return no(); }
  Result<std::pair<int, int>> socketpair(int, int, int) override { return no(); }
  Result<void> bind(int, std::string_view) override { return no(); }
  Result<void> listen(int, int) override { return no(); }
  Result<int> accept4(int, int) override { return no(); }
  Result<void> connect(int, std::string_view) override { return no(); }
  Result<void> shutdown(int, int) override { return no(); }
  Result<void> unlink(const char*) override { return no(); }
  Result<std::size_t> sendmsg(int, std::span<const std::byte>, std::span<const std::byte>, int) override {
    return no();
  }
  Result<os::Received> recvmsg(int, std::span<std::byte>, std::span<std::byte>, int) override { return no(); }
  Result<int> poll(std::span<os::PollFd>, os::Deadline) override { return no(); }
  std::optional<std::string> getenv(const char*) override { return std::nullopt; }
  Result<void> setenv(const char*, const char*) override { return no(); }
  Result<void> unsetenv(const char*) override { return no(); }
  Result<void> execve(const char*, std::span<const char* const>) override { return no(); }
  std::uint64_t now() override { return 0; }
};

}  // namespace vcpr::store
