#include "properties/conformance/steps.hpp"

#include <algorithm>
#include <iterator>

namespace vcpr::conformance {

int make_eventfd(os::Kernel& kernel, std::uint32_t initial, int flags) {
  return kernel.eventfd(initial, flags | abi::efd_nonblock | abi::efd_cloexec).value_or(-1);
}

Outcome read_counter(os::Kernel& kernel, int fd) {
  std::uint64_t value = 0;
  const auto count = kernel.read(fd, std::as_writable_bytes(std::span(&value, 1)));
  return count ? static_cast<Outcome>(value) : fails(count.error());
}

Outcome write_counter(os::Kernel& kernel, int fd, std::uint64_t value) {
  return outcome(kernel.write(fd, std::as_bytes(std::span(&value, 1))));
}

Outcome events(os::Kernel& kernel, int fd) {
  os::PollFd wanted{fd, abi::pollin | abi::pollout | abi::pollrdhup, 0};
  const auto ready = kernel.poll({&wanted, 1}, {0});
  return ready ? wanted.revents : fails(ready.error());
}

Outcome read_bytes(os::Kernel& kernel, int fd, std::size_t bytes) {
  std::vector<std::byte> buffer(bytes);
  return outcome(kernel.read(fd, buffer));
}

Outcome write_text(os::Kernel& kernel, int fd, std::string_view text) {
  return outcome(kernel.write(fd, std::as_bytes(std::span(text))));
}

Outcome send(os::Kernel& kernel, int socket, std::string_view text, std::span<const int> first,
             std::span<const int> second, int flags) {
  std::vector<std::byte> control;
  for (const std::span<const int> fds : {first, second}) {
    if (fds.empty()) continue;
    std::vector<std::byte> header(os::scm_rights_space(fds.size()));
    (void)os::write_scm_rights(header, fds);
    control.insert(control.end(), header.begin(), header.end());
  }
  return outcome(kernel.sendmsg(socket, std::as_bytes(std::span(text)), control, flags));
}

Outcome send(os::Kernel& kernel, int socket, std::string_view text, std::initializer_list<int> fds) {
  return send(kernel, socket, text, std::span<const int>(fds.begin(), fds.size()));
}

Arrived receive(os::Kernel& kernel, int socket, std::size_t bytes, std::size_t control_bytes, int flags) {
  Arrived arrived;
  std::vector<std::byte> data(bytes);
  std::vector<std::byte> control(control_bytes);
  const auto received = kernel.recvmsg(socket, data, control, flags | abi::msg_dontwait);
  if (!received) {
    arrived.bytes = fails(received.error());
    return arrived;
  }
  arrived.bytes = static_cast<Outcome>(received->bytes);
  arrived.truncated = (received->flags & abi::msg_ctrunc) != 0;
  std::ranges::transform(std::span(data).first(received->bytes), std::back_inserter(arrived.text),
                         [](std::byte byte) { return static_cast<char>(byte); });
  auto filled = std::span<const std::byte>(control).first(received->control);
  os::for_each_scm_rights(filled, [&](int fd) { arrived.fds.push_back(fd); });
  for (auto header = os::next_control_header(filled); header; header = os::next_control_header(filled)) {
    ++arrived.headers;
    filled = header->rest;
  }
  return arrived;
}

void close_all(os::Kernel& kernel, std::span<const int> fds) {
  for (const int fd : fds) (void)kernel.close(fd);
}

Outcome same_file(os::Kernel& kernel, int one, int other) {
  const auto first = kernel.fstat(one);
  const auto second = kernel.fstat(other);
  return first && second && first->inode == second->inode && first->device == second->device;
}

Pairs::Pairs(os::Kernel& kernel) {
  std::tie(left, right) = kernel.socketpair(abi::af_unix, kNonBlockingStream, 0).value_or(std::pair(-1, -1));
  std::tie(probe, watch) = kernel.socketpair(abi::af_unix, kNonBlockingStream, 0).value_or(std::pair(-1, -1));
}

}  // namespace vcpr::conformance
