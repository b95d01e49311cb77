// One process image's view of the machine: every call goes through one place that counts, asks the schedule, traces.
#pragma once

#include <initializer_list>
#include <string_view>

#include "engine/os/kernel.hpp"
#include "properties/machine/fault.hpp"

namespace vcpr::machine {

struct ProcessState;
struct Context;

class SimKernel final : public os::Kernel {
 public:
  explicit SimKernel(ProcessState& process) : process_(process) {}

  os::Result<int> open(const char* path, int flags) override;
  os::Result<void> close(int fd) override;
  os::Result<int> fcntl(int fd, int command, std::int64_t argument) override;
  os::Result<std::size_t> read(int fd, std::span<std::byte> buffer) override;
  os::Result<std::size_t> write(int fd, std::span<const std::byte> buffer) override;
  os::Result<std::size_t> pread(int fd, std::span<std::byte> buffer, std::uint64_t offset) override;
  os::Result<std::size_t> pwrite(int fd, std::span<const std::byte> buffer, std::uint64_t offset) override;
  os::Result<std::uint64_t> lseek(int fd, std::int64_t offset, int whence) override;
  os::Result<void> ftruncate(int fd, std::uint64_t size) override;
  os::Result<os::Stat> fstat(int fd) override;
  os::Result<std::size_t> readlink(const char* path, std::span<char> buffer) override;
  os::Result<int> ioctl(int fd, std::uint64_t request, void* argument) override;
  os::Result<int> eventfd(std::uint32_t initial, int flags) override;
  os::Result<int> memfd_create(const char* name, std::uint32_t flags) override;
  os::Result<os::UserAddr> mmap(os::UserAddr address, std::uint64_t length, int protection, int flags, int fd,
                                std::uint64_t offset) override;
  os::Result<void> munmap(os::UserAddr address, std::uint64_t length) override;
  os::Result<void> mprotect(os::UserAddr address, std::uint64_t length, int protection) override;
  os::Result<int> socket(int domain, int type, int protocol) override;
  os::Result<std::pair<int, int>> socketpair(int domain, int type, int protocol) override;
  os::Result<void> bind(int fd, std::string_view path) override;
  os::Result<void> listen(int fd, int backlog) override;
  os::Result<int> accept4(int fd, int flags) override;
  os::Result<void> connect(int fd, std::string_view path) override;
  os::Result<void> shutdown(int fd, int how) override;
  os::Result<void> unlink(const char* path) override;
  os::Result<std::size_t> sendmsg(int fd, std::span<const std::byte> data, std::span<const std::byte> control,
                                  int flags) override;
  os::Result<os::Received> recvmsg(int fd, std::span<std::byte> data, std::span<std::byte> control, int flags) override;
  os::Result<int> poll(std::span<os::PollFd> fds, os::Deadline deadline) override;
  std::optional<std::string> getenv(const char* name) override;
  os::Result<void> setenv(const char* name, const char* value) override;
  os::Result<void> unsetenv(const char* name) override;
  os::Result<void> execve(const char* path, std::span<const char* const> arguments) override;
  std::uint64_t now() override;

 private:
  /// `handler(Context&)` between the schedule and the trace; gone without either when the image is dead.
  template <class Value, class Handler>
  os::Result<Value> call(Call call, std::string_view text, std::initializer_list<std::uint64_t> arguments,
                         Handler handler);
  bool is_gone() const;

  ProcessState& process_;
};

}  // namespace vcpr::machine
