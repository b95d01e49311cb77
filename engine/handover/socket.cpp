#include "engine/handover/socket.hpp"

#include <array>

#include "engine/os/abi.hpp"

namespace vcpr::handover {

namespace abi = os::abi;
using os::Errno;

Expected<os::Fd> make_socket(os::Kernel& kernel, const std::string& path) {
  os::Result<int> made = kernel.socket(abi::af_unix, abi::sock_stream | abi::sock_nonblock | abi::sock_cloexec, 0);
  if (!made) return refuse_os(made.error(), {"socket for ", quoted(path)});
  return os::Fd(kernel, *made);
}

Expected<os::Fd> listen_at(os::Kernel& kernel, const std::string& path) {
  Expected<os::Fd> listener = make_socket(kernel, path);
  if (!listener) return listener;
  if (os::Result<void> bound = kernel.bind(listener->number(), path); !bound) {
    return refuse_os(bound.error(), {"bind to ", quoted(path)});
  }
  if (os::Result<void> listening = kernel.listen(listener->number(), 1); !listening) {
    (void)kernel.unlink(path.c_str());
    return refuse_os(listening.error(), {"listen at ", quoted(path)});
  }
  return listener;
}

Expected<HungUp> look_for_hang_up(os::Kernel& kernel, int socket) {
  std::array<os::PollFd, 1> look = {{{.fd = socket}}};
  constexpr os::Deadline kAtOnce{.nanoseconds = 0};
  os::Result<int> seen = kernel.poll(look, kAtOnce);
  if (!seen && seen.error() != Errno::eintr) return refuse_os(seen.error(), {"poll of a socket"});
  if ((look[0].revents & abi::pollerr) != 0) return HungUp::with_bytes_unread;
  return (look[0].revents & abi::pollhup) != 0 ? HungUp::yes : HungUp::no;
}

Expected<Arrived> receive_some(os::Kernel& kernel, int socket, std::vector<std::byte>& bytes, std::size_t limit) {
  std::size_t before = bytes.size();
  bytes.resize(before + limit);
  os::Result<os::Received> received =
      kernel.recvmsg(socket, std::span(bytes).subspan(before), {}, abi::msg_dontwait | abi::msg_cmsg_cloexec);
  bytes.resize(before + (received ? received->bytes : 0));
  if (received) return received->bytes == 0 ? Arrived::end : Arrived::bytes;
  if (received.error() == Errno::eagain) return Arrived::nothing_yet;
  if (received.error() == Errno::econnreset) return Arrived::end;
  return refuse_os(received.error(), {"recvmsg from the main channel"});
}

Expected<bool> send_byte(os::Kernel& kernel, int socket, std::byte byte) {
  os::Result<std::size_t> sent = kernel.sendmsg(socket, std::span(&byte, 1), {}, abi::msg_nosignal | abi::msg_dontwait);
  if (sent) return true;
  if (sent.error() == Errno::eagain) return false;
  auto refusal = refuse_os(sent.error(), {"sendmsg of one byte"});
  if (sent.error() == Errno::epipe || sent.error() == Errno::econnreset) refusal.error().code = ErrorCode::peer_closed;
  return refusal;
}

}  // namespace vcpr::handover
