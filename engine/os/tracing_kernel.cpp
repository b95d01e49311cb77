#include "engine/os/tracing_kernel.hpp"

#include <charconv>
#include <concepts>
#include <utility>

#include "engine/os/abi.hpp"
#include "engine/os/error.hpp"
#include "engine/os/flag_names.hpp"
#include "engine/os/scm_rights.hpp"

namespace vcpr::os {

namespace {

std::string bytes(std::size_t count) {
  return std::string(Decimal(count)) + (count == 1 ? " byte" : " bytes");
}

std::string fds(std::span<const std::byte> control) {
  std::string text;
  for_each_scm_rights(control,
                      [&](std::int32_t fd) { text.append(text.empty() ? "fds [" : ", ").append(Decimal(fd)); });
  return text.empty() ? "no fds" : text + "]";
}

/// Addresses differ from run to run; whether one was asked for does not.
std::string_view shown(UserAddr address) {
  return address == UserAddr() ? "NULL" : "addr";
}

/// Target of a link, without the inode numbers of "socket:[12345]".
std::string link_target(std::string_view target) {
  auto bracket = target.rfind(":[");
  bool numbered =
      bracket != target.npos && bracket + 2 < target.size() && target[bracket + 2] >= '0' && target[bracket + 2] <= '9';
  return numbered ? quoted(target.substr(0, bracket)) : quoted(target);
}

std::string poll_set(std::span<const PollFd> set, std::int16_t PollFd::* events) {
  std::string text = "[";
  for (const PollFd& one : set) {
    if (one.*events == 0 && events == &PollFd::revents) continue;
    if (text.size() > 1) text += ", ";
    text.append(Decimal(one.fd)).append(" ").append(flags_text(kPollEvents, one.*events));
  }
  return text + "]";
}

/// One line in the making: the call, its arguments, its result.
class Line {
 public:
  explicit Line(std::string_view call) { text_.append(call).append("("); }

  template <class... Arguments>
  Line&& with(const Arguments&... arguments) && {
    (separate().append(text(arguments)), ...);
    return std::move(*this);
  }
  std::string ended(std::string_view result) && { return text_.append(") = ").append(result); }

 private:
  static std::string text(std::integral auto number) {
    char digits[20];
    return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
  }
  static std::string_view text(std::string_view words) { return words; }
  std::string& separate() {
    if (text_.back() != '(') text_ += ", ";
    return text_;
  }

  std::string text_;
};

class TracingKernel final : public Kernel {
 public:
  TracingKernel(Kernel& inner, TraceLine line) : inner_(inner), line_(std::move(line)) {}

  Result<int> open(const char* path, int flags) override {
    return traced(Line("open").with(quoted(path), open_flags_text(flags)), inner_.open(path, flags));
  }
  Result<void> close(int fd) override { return traced(Line("close").with(fd), inner_.close(fd)); }
  Result<int> fcntl(int fd, int command, std::int64_t argument) override {
    return traced(Line("fcntl").with(fd, value_text(kFcntlCommands, command), fcntl_argument_text(command, argument)),
                  inner_.fcntl(fd, command, argument));
  }
  Result<std::size_t> read(int fd, std::span<std::byte> buffer) override {
    return traced(Line("read").with(fd, bytes(buffer.size())), inner_.read(fd, buffer));
  }
  Result<std::size_t> write(int fd, std::span<const std::byte> buffer) override {
    return traced(Line("write").with(fd, bytes(buffer.size())), inner_.write(fd, buffer));
  }
  Result<std::size_t> pread(int fd, std::span<std::byte> buffer, std::uint64_t offset) override {
    return traced(Line("pread").with(fd, bytes(buffer.size()), offset), inner_.pread(fd, buffer, offset));
  }
  Result<std::size_t> pwrite(int fd, std::span<const std::byte> buffer, std::uint64_t offset) override {
    return traced(Line("pwrite").with(fd, bytes(buffer.size()), offset), inner_.pwrite(fd, buffer, offset));
  }
  Result<std::uint64_t> lseek(int fd, std::int64_t offset, int whence) override {
    return traced(Line("lseek").with(fd, offset, value_text(kWhences, whence)), inner_.lseek(fd, offset, whence));
  }
  Result<void> ftruncate(int fd, std::uint64_t size) override {
    return traced(Line("ftruncate").with(fd, size), inner_.ftruncate(fd, size));
  }
  Result<Stat> fstat(int fd) override {
    return traced(Line("fstat").with(fd), inner_.fstat(fd), [](const Stat& stat) {
      return std::string(value_text(kFileTypes, stat.mode & abi::s_ifmt)) + " " + bytes(stat.size);
    });
  }
  Result<std::size_t> readlink(const char* path, std::span<char> buffer) override {
    return traced(Line("readlink").with(quoted(path), bytes(buffer.size())), inner_.readlink(path, buffer),
                  [&](std::size_t size) { return link_target({buffer.data(), size}); });
  }
  Result<int> ioctl(int fd, std::uint64_t request, void* argument) override {
    return traced(Line("ioctl").with(fd, hexadecimal(request)), inner_.ioctl(fd, request, argument));
  }

  Result<int> eventfd(std::uint32_t initial, int flags) override {
    return traced(Line("eventfd").with(initial, flags_text(kEventfdFlags, flags)), inner_.eventfd(initial, flags));
  }
  Result<int> memfd_create(const char* name, std::uint32_t flags) override {
    return traced(Line("memfd_create").with(quoted(name), flags_text(kMemfdFlags, flags)),
                  inner_.memfd_create(name, flags));
  }

  Result<UserAddr> mmap(UserAddr address, std::uint64_t length, int protection, int flags, int fd,
                        std::uint64_t offset) override {
    return traced(Line("mmap").with(shown(address), length, flags_text(kProtections, protection),
                                    flags_text(kMapFlags, flags), fd, offset),
                  inner_.mmap(address, length, protection, flags, fd, offset),
                  [](UserAddr mapped) { return std::string(shown(mapped)); });
  }
  Result<void> munmap(UserAddr address, std::uint64_t length) override {
    return traced(Line("munmap").with(shown(address), length), inner_.munmap(address, length));
  }
  Result<void> mprotect(UserAddr address, std::uint64_t length, int protection) override {
    return traced(Line("mprotect").with(shown(address), length, flags_text(kProtections, protection)),
                  inner_.mprotect(address, length, protection));
  }

  Result<int> socket(int domain, int type, int protocol) override {
    return traced(Line("socket").with(value_text(kDomains, domain), socket_type_text(type), protocol),
                  inner_.socket(domain, type, protocol));
  }
  Result<std::pair<int, int>> socketpair(int domain, int type, int protocol) override {
    return traced(Line("socketpair").with(value_text(kDomains, domain), socket_type_text(type), protocol),
                  inner_.socketpair(domain, type, protocol), [](std::pair<int, int> ends) {
                    return "[" + std::string(Decimal(ends.first)) + ", " + std::string(Decimal(ends.second)) + "]";
                  });
  }
  Result<void> bind(int fd, std::string_view path) override {
    return traced(Line("bind").with(fd, quoted(path)), inner_.bind(fd, path));
  }
  Result<void> listen(int fd, int backlog) override {
    return traced(Line("listen").with(fd, backlog), inner_.listen(fd, backlog));
  }
  Result<int> accept4(int fd, int flags) override {
    return traced(Line("accept4").with(fd, flags_text(kSocketFlags, flags)), inner_.accept4(fd, flags));
  }
  Result<void> connect(int fd, std::string_view path) override {
    return traced(Line("connect").with(fd, quoted(path)), inner_.connect(fd, path));
  }
  Result<void> shutdown(int fd, int how) override {
    return traced(Line("shutdown").with(fd, value_text(kShutdowns, how)), inner_.shutdown(fd, how));
  }
  Result<void> unlink(const char* path) override {
    return traced(Line("unlink").with(quoted(path)), inner_.unlink(path));
  }
  Result<std::size_t> sendmsg(int fd, std::span<const std::byte> data, std::span<const std::byte> control,
                              int flags) override {
    return traced(Line("sendmsg").with(fd, bytes(data.size()), fds(control), flags_text(kMessageFlags, flags)),
                  inner_.sendmsg(fd, data, control, flags));
  }
  Result<Received> recvmsg(int fd, std::span<std::byte> data, std::span<std::byte> control, int flags) override {
    return traced(Line("recvmsg").with(fd, bytes(data.size()), bytes(control.size()), flags_text(kMessageFlags, flags)),
                  inner_.recvmsg(fd, data, control, flags), [&](const Received& received) {
                    return bytes(received.bytes) + ", " + fds(control.first(received.control)) + ", " +
                           flags_text(kMessageFlags, received.flags);
                  });
  }
  Result<int> poll(std::span<PollFd> set, Deadline deadline) override {
    Line line = Line("poll").with(poll_set(set, &PollFd::events), deadline == Deadline::never() ? "never" : "deadline");
    return traced(std::move(line), inner_.poll(set, deadline),
                  [&](int ready) { return std::string(Decimal(ready)) + " " + poll_set(set, &PollFd::revents); });
  }

  std::optional<std::string> getenv(const char* name) override {
    auto found = inner_.getenv(name);
    write(Line("getenv").with(quoted(name)).ended(found ? quoted(*found) : "NULL"));
    return found;
  }
  Result<void> setenv(const char* name, const char* value) override {
    return traced(Line("setenv").with(quoted(name), quoted(value)), inner_.setenv(name, value));
  }
  Result<void> unsetenv(const char* name) override {
    return traced(Line("unsetenv").with(quoted(name)), inner_.unsetenv(name));
  }
  Result<void> execve(const char* path, std::span<const char* const> arguments) override {
    std::string list;
    for (const char* argument : arguments) list.append(list.empty() ? "[" : ", ").append(quoted(argument));
    return traced(Line("execve").with(quoted(path), list.empty() ? "[]" : list + "]"), inner_.execve(path, arguments));
  }
  std::uint64_t now() override {
    write(Line("now").ended("time"));
    return inner_.now();
  }

 private:
  void write(std::string_view line) {
    if (!gone_) line_(line);
  }
  /// `show` tells what a success is worth, where it is not just a number.
  template <class T, class Show>
  Result<T> traced(Line&& line, Result<T> result, Show show) {
    if (result) {
      write(std::move(line).ended(show(*result)));
    } else {
      write(std::move(line).ended(std::string("-1 ").append(name(result.error()))));
      gone_ = gone_ || result.error() == Errno::gone;
    }
    return result;
  }
  Result<void> traced(Line&& line, Result<void> result) {
    Result<int> number = 0;
    if (!result) number = std::unexpected(result.error());
    (void)traced(std::move(line), number);
    return result;
  }
  template <class Number>
  Result<Number> traced(Line&& line, Result<Number> result) {
    return traced(std::move(line), result, [](Number number) { return std::string(Decimal(number)); });
  }

  Kernel& inner_;
  TraceLine line_;
  bool gone_ = false;  ///< a dead image makes no calls
};

}  // namespace

std::unique_ptr<Kernel> tracing_kernel(Kernel& inner, TraceLine line) {
  return std::make_unique<TracingKernel>(inner, std::move(line));
}

}  // namespace vcpr::os
