// Unix stream sockets: pairs, listeners, and the queue of buffers that carries bytes and descriptors.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "engine/os/kernel.hpp"
#include "properties/machine/description.hpp"

namespace vcpr::machine {

struct BoundName;
struct Context;

/// One buffer of a send, as the kernel queues it (struct sk_buff of net/unix).
struct Message {
  Message* next = nullptr;
  std::byte* data = nullptr;
  std::uint32_t size = 0;
  std::uint32_t consumed = 0;
  std::uint32_t charge = 0;  ///< against the sender's buffer, until the last byte is read
  std::uint32_t fd_count = 0;
  Description** fds = nullptr;
  Socket* sender = nullptr;
};

enum class SocketState : std::uint8_t { unconnected, listening, connected };

/// Never freed: peers point at each other beyond close, as in the kernel.
struct Socket {
  Description* description = nullptr;  ///< null while in a backlog
  Socket* peer = nullptr;
  SocketState state{};
  bool closed = false;
  bool bound = false;
  bool shut_receive = false;
  bool shut_send = false;
  os::Errno pending_error = os::Errno::none;  ///< sk_err: reported once by a receive
  Message* first = nullptr;                   ///< to be received here
  Message* last = nullptr;
  std::uint32_t charged = 0;  ///< by what this socket sent and nobody has read
  BoundName* name = nullptr;
  // A listener's backlog: the server ends of connections nobody has accepted
  Socket* backlog_first = nullptr;
  Socket* backlog_last = nullptr;
  Socket* backlog_next = nullptr;
  std::uint32_t backlog_size = 0;
  std::uint32_t backlog_limit = 0;
};

/// The events poll(2) would report, whatever was asked for.
std::int16_t socket_events(const Machine::Impl& machine, const Socket& socket);
/// Last close: the peer sees the hang-up, and ECONNRESET if something was unread; what was queued is released.
void close_socket(Machine::Impl& machine, Socket& socket);
/// Forgets a message and drops the references it carries.
void destroy_message(Machine::Impl& machine, Message& message);

os::Result<int> do_socket(Context& context, int domain, int type, int protocol);
os::Result<std::pair<int, int>> do_socketpair(Context& context, int domain, int type, int protocol);
os::Result<void> do_bind(Context& context, int fd, std::string_view path);
os::Result<void> do_listen(Context& context, int fd, int backlog);
os::Result<int> do_accept4(Context& context, int fd, int flags);
os::Result<void> do_connect(Context& context, int fd, std::string_view path);
os::Result<void> do_shutdown(Context& context, int fd, int how);
os::Result<void> do_unlink(Context& context, std::string_view path);
os::Result<std::size_t> do_sendmsg(Context& context, int fd, std::span<const std::byte> data,
                                   std::span<const std::byte> control, int flags);
os::Result<os::Received> do_recvmsg(Context& context, int fd, std::span<std::byte> data, std::span<std::byte> control,
                                    int flags);

}  // namespace vcpr::machine
