#include "properties/machine/sim_kernel.hpp"

#include <concepts>

#include "properties/machine/eventfd.hpp"
#include "properties/machine/file_operations.hpp"
#include "properties/machine/memfd.hpp"
#include "properties/machine/poll.hpp"
#include "properties/machine/process.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/unix_socket.hpp"

namespace vcpr::machine {

using os::Errno;
using os::Result;
using os::UserAddr;

namespace {

// Arguments and results as words of the trace
std::uint64_t word(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}
std::uint64_t word(const os::Result<void>&) {
  return 0;
}
std::uint64_t word(const os::Result<int>& result) {
  return static_cast<std::uint64_t>(std::int64_t{*result});
}
std::uint64_t word(const os::Result<std::uint64_t>& result) {
  return *result;
}
std::uint64_t word(const os::Result<UserAddr>& result) {
  return result->value();
}
std::uint64_t word(const os::Result<std::pair<int, int>>& result) {
  return static_cast<std::uint64_t>(result->first) << 32 | static_cast<std::uint32_t>(result->second);
}
std::uint64_t word(const os::Result<os::Received>& result) {
  return result->bytes << 32 ^ result->control << 16 ^ static_cast<std::uint32_t>(result->flags);
}
std::uint64_t word(const os::Result<os::Stat>& result) {
  return result->mode ^ result->inode << 20 ^ result->size << 32;
}
// A template, so that no other Result is tried for conversion: libc++ 19 does not compile that for Result<void>.
template <std::same_as<std::optional<std::string>> Text>
std::uint64_t word(const os::Result<Text>& result) {
  Hasher hasher;
  if (*result) hasher.text(**result);
  return *result ? hasher.value() : 0;
}

std::uint64_t digest(std::span<const std::byte> bytes) {
  Hasher hasher;
  hasher.bytes(bytes);
  return hasher.value();
}

/// What the schedule wants to happen to this call; its own calls are not asked about.
FaultPoint ask_schedule(Machine::Impl& machine, const CallSite& site) {
  if (machine.schedule == nullptr || machine.in_schedule) return FaultPoint::none;
  machine.in_schedule = true;
  const FaultPoint point = machine.schedule->before(site);
  machine.in_schedule = false;
  const bool fits = point != FaultPoint::none && fault_table()[static_cast<std::size_t>(point) - 1].call == site.call;
  return fits ? point : FaultPoint::none;
}

void trace(Machine::Impl& machine, const CallRecord& record, std::span<const std::byte> output) {
  Hasher& hasher = machine.trace;
  hasher.word(static_cast<std::uint64_t>(record.pid) << 8 | static_cast<std::uint64_t>(record.site.call));
  for (const std::uint64_t argument : record.arguments) hasher.word(argument);
  if (!record.text.empty()) hasher.text(record.text);
  hasher.word(record.value ^ static_cast<std::uint64_t>(record.error) << 48);
  if (!output.empty()) hasher.bytes(output);
  if (machine.listener != nullptr) machine.listener->called(record);
}

}  // namespace

bool SimKernel::is_gone() const {
  return process_.current != this || !process_.lives;
}

template <class Value, class Handler>
Result<Value> SimKernel::call(Call call, std::string_view text, std::initializer_list<std::uint64_t> arguments,
                              Handler handler) {
  if (is_gone()) return std::unexpected(Errno::gone);
  Machine::Impl& machine = process_.machine;
  const CallSite site{&process_, machine.calls++, process_.call_count++, call};
  Context context{machine, process_, call, ask_schedule(machine, site)};
  if (is_gone()) return std::unexpected(Errno::gone);
  machine.current_call = site.number;
  ++process_.calls_of[static_cast<std::size_t>(call)];
  const std::uint32_t image = process_.images;
  const Result<Value> result = handler(context);
  if (!process_.lives) return std::unexpected(Errno::gone);  // killed while it slept in poll
  if (context.met != FaultPoint::none) machine.faults.append(machine.arena, {site.number, &process_, context.met});
  trace(machine,
        {site,
         process_.id,
         image,
         {arguments.begin(), arguments.size()},
         text,
         result ? word(result) : 0,
         result ? Errno::none : result.error(),
         context.met,
         context.passed},
        context.output);
  return result;
}

Result<int> SimKernel::open(const char* path, int flags) {
  return call<int>(Call::open, path, {word(flags)}, [&](Context& c) { return do_open(c, path, flags); });
}

Result<void> SimKernel::close(int fd) {
  return call<void>(Call::close, {}, {word(fd)}, [&](Context& c) { return do_close(c, fd); });
}

Result<int> SimKernel::fcntl(int fd, int command, std::int64_t argument) {
  return call<int>(Call::fcntl, {}, {word(fd), word(command), word(argument)},
                   [&](Context& c) { return do_fcntl(c, fd, command, argument); });
}

Result<std::size_t> SimKernel::read(int fd, std::span<std::byte> buffer) {
  return call<std::size_t>(Call::read, {}, {word(fd), buffer.size()},
                           [&](Context& c) { return do_read(c, fd, buffer); });
}

Result<std::size_t> SimKernel::write(int fd, std::span<const std::byte> buffer) {
  return call<std::size_t>(Call::write, {}, {word(fd), buffer.size(), digest(buffer)},
                           [&](Context& c) { return do_write(c, fd, buffer); });
}

Result<std::size_t> SimKernel::pread(int fd, std::span<std::byte> buffer, std::uint64_t offset) {
  return call<std::size_t>(Call::pread, {}, {word(fd), buffer.size(), offset},
                           [&](Context& c) { return do_pread(c, fd, buffer, offset); });
}

Result<std::size_t> SimKernel::pwrite(int fd, std::span<const std::byte> buffer, std::uint64_t offset) {
  return call<std::size_t>(Call::pwrite, {}, {word(fd), buffer.size(), digest(buffer), offset},
                           [&](Context& c) { return do_pwrite(c, fd, buffer, offset); });
}

Result<std::uint64_t> SimKernel::lseek(int fd, std::int64_t offset, int whence) {
  return call<std::uint64_t>(Call::lseek, {}, {word(fd), word(offset), word(whence)},
                             [&](Context& c) { return do_lseek(c, fd, offset, whence); });
}

Result<void> SimKernel::ftruncate(int fd, std::uint64_t size) {
  return call<void>(Call::ftruncate, {}, {word(fd), size}, [&](Context& c) { return do_ftruncate(c, fd, size); });
}

Result<os::Stat> SimKernel::fstat(int fd) {
  return call<os::Stat>(Call::fstat, {}, {word(fd)}, [&](Context& c) { return do_fstat(c, fd); });
}

Result<std::size_t> SimKernel::readlink(const char* path, std::span<char> buffer) {
  return call<std::size_t>(Call::readlink, path, {buffer.size()},
                           [&](Context& c) { return do_readlink(c, path, buffer); });
}

Result<int> SimKernel::ioctl(int fd, std::uint64_t request, void* argument) {
  return call<int>(Call::ioctl, {}, {word(fd), request},
                   [&](Context& c) { return do_ioctl(c, fd, request, argument); });
}

Result<int> SimKernel::eventfd(std::uint32_t initial, int flags) {
  return call<int>(Call::eventfd, {}, {initial, word(flags)},
                   [&](Context& c) { return do_eventfd(c, initial, flags); });
}

Result<int> SimKernel::memfd_create(const char* name, std::uint32_t flags) {
  return call<int>(Call::memfd_create, name, {flags}, [&](Context& c) { return do_memfd_create(c, name, flags); });
}

Result<UserAddr> SimKernel::mmap(UserAddr address, std::uint64_t length, int protection, int flags, int fd,
                                 std::uint64_t offset) {
  return call<UserAddr>(Call::mmap, {}, {address.value(), length, word(protection), word(flags), word(fd), offset},
                        [&](Context& c) { return do_mmap(c, address, length, protection, flags, fd, offset); });
}

Result<void> SimKernel::munmap(UserAddr address, std::uint64_t length) {
  return call<void>(Call::munmap, {}, {address.value(), length},
                    [&](Context& c) { return do_munmap(c, address, length); });
}

Result<void> SimKernel::mprotect(UserAddr address, std::uint64_t length, int protection) {
  return call<void>(Call::mprotect, {}, {address.value(), length, word(protection)},
                    [&](Context& c) { return do_mprotect(c, address, length, protection); });
}

Result<int> SimKernel::socket(int domain, int type, int protocol) {
  return call<int>(Call::socket, {}, {word(domain), word(type), word(protocol)},
                   [&](Context& c) { return do_socket(c, domain, type, protocol); });
}

Result<std::pair<int, int>> SimKernel::socketpair(int domain, int type, int protocol) {
  return call<std::pair<int, int>>(Call::socketpair, {}, {word(domain), word(type), word(protocol)},
                                   [&](Context& c) { return do_socketpair(c, domain, type, protocol); });
}

Result<void> SimKernel::bind(int fd, std::string_view path) {
  return call<void>(Call::bind, path, {word(fd)}, [&](Context& c) { return do_bind(c, fd, path); });
}

Result<void> SimKernel::listen(int fd, int backlog) {
  return call<void>(Call::listen, {}, {word(fd), word(backlog)}, [&](Context& c) { return do_listen(c, fd, backlog); });
}

Result<int> SimKernel::accept4(int fd, int flags) {
  return call<int>(Call::accept4, {}, {word(fd), word(flags)}, [&](Context& c) { return do_accept4(c, fd, flags); });
}

Result<void> SimKernel::connect(int fd, std::string_view path) {
  return call<void>(Call::connect, path, {word(fd)}, [&](Context& c) { return do_connect(c, fd, path); });
}

Result<void> SimKernel::shutdown(int fd, int how) {
  return call<void>(Call::shutdown, {}, {word(fd), word(how)}, [&](Context& c) { return do_shutdown(c, fd, how); });
}

Result<void> SimKernel::unlink(const char* path) {
  return call<void>(Call::unlink, path, {}, [&](Context& c) { return do_unlink(c, path); });
}

Result<std::size_t> SimKernel::sendmsg(int fd, std::span<const std::byte> data, std::span<const std::byte> control,
                                       int flags) {
  return call<std::size_t>(Call::sendmsg, {},
                           {word(fd), data.size(), digest(data), control.size(), digest(control), word(flags)},
                           [&](Context& c) { return do_sendmsg(c, fd, data, control, flags); });
}

Result<os::Received> SimKernel::recvmsg(int fd, std::span<std::byte> data, std::span<std::byte> control, int flags) {
  return call<os::Received>(Call::recvmsg, {}, {word(fd), data.size(), control.size(), word(flags)},
                            [&](Context& c) { return do_recvmsg(c, fd, data, control, flags); });
}

Result<int> SimKernel::poll(std::span<os::PollFd> fds, os::Deadline deadline) {
  return call<int>(Call::poll, {}, {fds.size(), deadline.nanoseconds}, [&](Context& c) {
    auto ready = do_poll(c, fds, deadline);
    c.output = std::as_bytes(fds);
    return ready;
  });
}

std::optional<std::string> SimKernel::getenv(const char* name) {
  using Value = std::optional<std::string>;
  const auto found = call<Value>(Call::getenv, name, {}, [&](Context& c) -> Result<Value> {
    const Variable* variable = c.process.environment.find(name);
    return variable == nullptr ? Value{} : Value{variable->value};
  });
  return found ? *found : std::nullopt;
}

Result<void> SimKernel::setenv(const char* name, const char* value) {
  return call<void>(Call::setenv, name, {digest(std::as_bytes(std::span(std::string_view(value))))},
                    [&](Context& c) { return do_setenv(c, name, value); });
}

Result<void> SimKernel::unsetenv(const char* name) {
  return call<void>(Call::unsetenv, name, {}, [&](Context& c) { return do_unsetenv(c, name); });
}

Result<void> SimKernel::execve(const char* path, std::span<const char* const> arguments) {
  const auto replaced =
      call<void>(Call::execve, path, {arguments.size()}, [&](Context& c) { return do_execve(c, path, arguments); });
  return std::unexpected(replaced ? Errno::gone : replaced.error());
}

std::uint64_t SimKernel::now() {
  const auto time =
      call<std::uint64_t>(Call::now, {}, {}, [&](Context& c) -> Result<std::uint64_t> { return c.machine.now; });
  return time.value_or(process_.machine.now);
}

}  // namespace vcpr::machine
