#include "properties/machine/unix_socket.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/os/abi.hpp"
#include "properties/machine/device_node.hpp"
#include "properties/machine/poll.hpp"
#include "properties/machine/scm_rights.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr int kTypeMask = 0xf;
constexpr int kKnownTypes = 10;              // SOCK_PACKET is the last
constexpr std::uint32_t kMaxBacklog = 4096;  // net.core.somaxconn
constexpr std::uint32_t kSocketMode = abi::s_ifsock | 0777;

Description& make_socket(Machine::Impl& machine, int type) {
  Description& made = make_description(machine, FileKind::socket, abi::o_rdwr | (type & abi::sock_nonblock));
  made.socket = machine.arena.make<Socket>();
  made.socket->description = &made;
  made.inode = ++machine.next_inode;
  made.mode = kSocketMode;
  return made;
}

void pair_up(Socket& one, Socket& other) {
  one.peer = &other;
  other.peer = &one;
  one.state = other.state = SocketState::connected;
}

/// The checks of socket(2) and socketpair(2) before anything is made.
os::Result<void> check_type(int domain, int type, int protocol) {
  if ((type & ~(kTypeMask | abi::sock_cloexec | abi::sock_nonblock)) != 0) return std::unexpected(Errno::einval);
  if (domain != abi::af_unix) return std::unexpected(Errno::eafnosupport);
  if ((type & kTypeMask) > kKnownTypes) return std::unexpected(Errno::einval);
  if (protocol != 0 && protocol != abi::af_unix) return std::unexpected(Errno::eprotonosupport);
  if ((type & kTypeMask) != abi::sock_stream) return std::unexpected(Errno::esocktnosupport);
  return {};
}

/// The socket behind a descriptor: EBADF, ENOTSOCK.
os::Result<Socket*> find_socket(Context& context, int fd) {
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  if (slot->description->socket == nullptr) return std::unexpected(Errno::enotsock);
  return slot->description->socket;
}

}  // namespace

os::Result<int> do_socket(Context& context, int domain, int type, int protocol) {
  if (auto checked = check_type(domain, type, protocol); !checked) return std::unexpected(checked.error());
  if (context.fires(FaultPoint::socket_enfile)) return std::unexpected(Errno::enfile);
  if (context.fires(FaultPoint::socket_enobufs)) return std::unexpected(Errno::enobufs);
  if (context.fires(FaultPoint::socket_emfile) || !context.has_free_number()) return std::unexpected(Errno::emfile);
  return context.install(make_socket(context.machine, type), (type & abi::sock_cloexec) != 0);
}

os::Result<std::pair<int, int>> do_socketpair(Context& context, int domain, int type, int protocol) {
  if ((type & ~(kTypeMask | abi::sock_cloexec | abi::sock_nonblock)) != 0) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::socketpair_emfile) || !context.has_free_number(2))
    return std::unexpected(Errno::emfile);
  if (auto checked = check_type(domain, type, protocol); !checked) return std::unexpected(checked.error());
  Description& one = make_socket(context.machine, type);
  Description& other = make_socket(context.machine, type);
  pair_up(*one.socket, *other.socket);
  const bool close_on_exec = (type & abi::sock_cloexec) != 0;
  const int first = *context.install(one, close_on_exec);
  return std::pair(first, *context.install(other, close_on_exec));
}

namespace {

bool is_abstract(std::string_view path) {
  return path.empty() || path.front() == '\0';
}

BoundName* find_name(Machine::Impl& machine, std::string_view path) {
  for (BoundName* name = machine.names; name != nullptr; name = name->next)
    if (name->path == path) return name;
  return nullptr;
}

void forget_name(Machine::Impl& machine, BoundName* name) {
  BoundName** link = &machine.names;
  while (*link != name) link = &(*link)->next;
  *link = name->next;
  forget_text(machine.arena, name->path);
  machine.arena.destroy(name);
}

}  // namespace

os::Result<void> do_bind(Context& context, int fd, std::string_view path) {
  const auto socket = find_socket(context, fd);
  if (!socket) return std::unexpected(socket.error());
  if (path.size() >= abi::sun_path_bytes) return std::unexpected(Errno::einval);
  Machine::Impl& machine = context.machine;
  if (path.empty()) {  // the kernel picks an abstract name nobody can guess; a second time it does nothing
    (*socket)->bound = true;
    return {};
  }
  if (is_abstract(path) && (*socket)->bound) return std::unexpected(Errno::einval);
  if (find_name(machine, path) != nullptr || find_device(path) != Device::none)
    return std::unexpected(Errno::eaddrinuse);
  if ((*socket)->bound) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::bind_enospc)) return std::unexpected(Errno::enospc);
  machine.names =
      machine.arena.make<BoundName>(keep_text(machine.arena, path), *socket, ++machine.next_inode, machine.names);
  (*socket)->name = machine.names;
  (*socket)->bound = true;
  return {};
}

os::Result<void> do_listen(Context& context, int fd, int backlog) {
  const auto found = find_socket(context, fd);
  if (!found) return std::unexpected(found.error());
  Socket& socket = **found;
  if (!socket.bound || socket.state == SocketState::connected) return std::unexpected(Errno::einval);
  socket.state = SocketState::listening;
  socket.backlog_limit = std::min(static_cast<std::uint32_t>(backlog), kMaxBacklog);
  return {};
}

os::Result<int> do_accept4(Context& context, int fd, int flags) {
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  if ((flags & ~(abi::sock_cloexec | abi::sock_nonblock)) != 0) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::accept4_emfile) || !context.has_free_number()) return std::unexpected(Errno::emfile);
  if (slot->description->socket == nullptr) return std::unexpected(Errno::enotsock);
  if (context.fires(FaultPoint::accept4_enfile)) return std::unexpected(Errno::enfile);
  Socket& listener = *slot->description->socket;
  if (listener.state != SocketState::listening) return std::unexpected(Errno::einval);
  Socket* accepted = listener.backlog_first;
  if (accepted == nullptr) return context.would_block(fd, *slot->description);
  listener.backlog_first = accepted->backlog_next;
  if (--listener.backlog_size == 0) listener.backlog_last = nullptr;
  accepted->backlog_next = nullptr;
  Description& made = make_description(context.machine, FileKind::socket, abi::o_rdwr | (flags & abi::sock_nonblock));
  made.socket = accepted;
  accepted->description = &made;
  made.inode = ++context.machine.next_inode;
  made.mode = kSocketMode;
  return context.install(made, (flags & abi::sock_cloexec) != 0);
}

namespace {

/// Who would accept a connection to this path: ENOENT, ECONNREFUSED.
os::Result<Socket*> find_listener(Context& context, std::string_view path) {
  if (path.empty() || path.size() >= abi::sun_path_bytes) return std::unexpected(Errno::einval);
  BoundName* name = find_name(context.machine, path);
  if (name == nullptr) {
    const bool refused = is_abstract(path) || find_device(path) != Device::none;
    return std::unexpected(refused ? Errno::econnrefused : Errno::enoent);
  }
  Socket* listener = name->socket;
  if (listener == nullptr || listener->state != SocketState::listening || listener->shut_receive)
    return std::unexpected(Errno::econnrefused);
  return listener;
}

void enqueue_connection(Machine::Impl& machine, Socket& listener, Socket& client) {
  Socket* server = machine.arena.make<Socket>();
  pair_up(*server, client);
  server->bound = listener.bound;
  (listener.backlog_last != nullptr ? listener.backlog_last->backlog_next : listener.backlog_first) = server;
  listener.backlog_last = server;
  ++listener.backlog_size;
}

}  // namespace

os::Result<void> do_connect(Context& context, int fd, std::string_view path) {
  const auto client = find_socket(context, fd);
  if (!client) return std::unexpected(client.error());
  if (context.fires(FaultPoint::connect_enomem)) return std::unexpected(Errno::enomem);
  const auto listener = find_listener(context, path);
  if (!listener) return std::unexpected(listener.error());
  if (context.fires(FaultPoint::connect_econnrefused)) return std::unexpected(Errno::econnrefused);
  const bool full = (*listener)->backlog_size > (*listener)->backlog_limit;
  if (context.fires(FaultPoint::connect_eagain)) return std::unexpected(Errno::eagain);
  if (full) return context.would_block(fd, *(*client)->description);
  if ((*client)->state == SocketState::connected) return std::unexpected(Errno::eisconn);
  if ((*client)->state == SocketState::listening) return std::unexpected(Errno::einval);
  enqueue_connection(context.machine, **listener, **client);
  return {};
}

os::Result<void> do_shutdown(Context& context, int fd, int how) {
  const auto found = find_socket(context, fd);
  if (!found) return std::unexpected(found.error());
  if (how < abi::shut_rd || how > abi::shut_rdwr) return std::unexpected(Errno::einval);
  Socket& socket = **found;
  const bool receive = how != abi::shut_wr;
  const bool send = how != abi::shut_rd;
  socket.shut_receive |= receive;
  socket.shut_send |= send;
  if (socket.peer != nullptr) {
    socket.peer->shut_send |= receive;
    socket.peer->shut_receive |= send;
  }
  return {};
}

os::Result<void> do_unlink(Context& context, std::string_view path) {
  BoundName* name = is_abstract(path) ? nullptr : find_name(context.machine, path);
  if (name == nullptr) return std::unexpected(find_device(path) != Device::none ? Errno::eperm : Errno::enoent);
  if (name->socket != nullptr) name->socket->name = nullptr;
  forget_name(context.machine, name);
  return {};
}

void close_socket(Machine::Impl& machine, Socket& socket) {
  socket.closed = true;
  machine.cycles_wanted = true;
  socket.shut_receive = socket.shut_send = true;
  if (socket.peer != nullptr && !socket.peer->closed) {
    socket.peer->shut_receive = socket.peer->shut_send = true;
    if (socket.first != nullptr || socket.description == nullptr) socket.peer->pending_error = Errno::econnreset;
  }
  if (socket.name != nullptr) {
    BoundName* name = std::exchange(socket.name, nullptr);
    name->socket = nullptr;
    if (is_abstract(name->path)) forget_name(machine, name);
  }
  while (socket.backlog_first != nullptr)
    close_socket(machine, *std::exchange(socket.backlog_first, socket.backlog_first->backlog_next));
  socket.backlog_last = nullptr;
  while (socket.first != nullptr) destroy_message(machine, *std::exchange(socket.first, socket.first->next));
  socket.last = nullptr;
}

std::int16_t socket_events(const Machine::Impl& machine, const Socket& socket) {
  int events = 0;
  if (socket.pending_error != Errno::none) events |= abi::pollerr;
  if (socket.shut_receive && socket.shut_send) events |= abi::pollhup;
  if (socket.shut_receive) events |= abi::pollrdhup | abi::pollin | kPollRdNorm;
  if (socket.first != nullptr || socket.backlog_first != nullptr) events |= abi::pollin | kPollRdNorm;
  if (socket.state == SocketState::unconnected) events |= abi::pollhup;
  // unix_writable: at most a quarter of the buffer in use; the kernel's counter starts at one
  if (socket.state != SocketState::listening && 4 * (socket.charged + 1) <= machine.switches.socket_buffer_bytes)
    events |= abi::pollout | kPollWrNorm | kPollWrBand;
  return static_cast<std::int16_t>(events);
}

namespace {

// What a buffer of a stream costs its sender (unix_stream_sendmsg, skb_end_pointer arithmetic of 64-bit Linux).
constexpr std::uint32_t kBufferOverhead = 256;  // struct sk_buff, aligned
constexpr std::uint32_t kSharedInfo = 320;      // struct skb_shared_info, aligned
constexpr std::uint32_t kSmallestHead = 512;
constexpr std::uint32_t kMaxHead = 4096 - kSharedInfo;
constexpr std::uint32_t kMaxPaged = 32768;

std::uint32_t page_up(std::uint32_t bytes) {
  return (bytes + 4095) & ~4095u;
}

std::uint32_t charge_of(std::uint32_t size) {
  const std::uint32_t paged = std::min(size, page_up(size - std::min(size, kMaxHead)));
  const std::uint32_t head = std::bit_ceil(std::max(kSmallestHead, size - paged + kSharedInfo));
  return kBufferOverhead + head + page_up(paged);
}

std::uint32_t next_buffer_size(std::size_t left, std::uint32_t send_buffer) {
  const std::size_t half = send_buffer / 2 > 64 ? send_buffer / 2 - 64 : 1;
  return static_cast<std::uint32_t>(std::min({left, half, std::size_t{kMaxHead + kMaxPaged}}));
}

void enqueue(Machine::Impl& machine, Socket& sender, std::span<const std::byte> data, OutgoingRights& rights) {
  auto* message = machine.arena.make<Message>();
  message->size = static_cast<std::uint32_t>(data.size());
  message->data = static_cast<std::byte*>(machine.arena.take(data.size()));
  std::memcpy(message->data, data.data(), data.size());
  message->charge = charge_of(message->size);
  message->sender = &sender;
  sender.charged += message->charge;
  rights.put_into(*message);
  Socket& receiver = *sender.peer;
  (receiver.last != nullptr ? receiver.last->next : receiver.first) = message;
  receiver.last = message;
}

/// Queues as much as fits; 0 when nothing does.
std::size_t enqueue_all(Machine::Impl& machine, Socket& sender, std::span<const std::byte> data,
                        OutgoingRights& rights) {
  const std::uint32_t limit = machine.switches.socket_buffer_bytes;
  std::size_t sent = 0;
  while (sent < data.size() && sender.charged < limit &&
         machine.arena.has_room_for(std::size_t{2} * (kMaxHead + kMaxPaged))) {
    const std::uint32_t size = next_buffer_size(data.size() - sent, limit);
    enqueue(machine, sender, data.subspan(sent, size), rights);
    sent += size;
  }
  return sent;
}

bool too_many_in_flight(const Context& context) {
  return context.machine.in_flight > context.process.descriptor_limit && !context.process.can_exceed_limits;
}

}  // namespace

os::Result<std::size_t> do_sendmsg(Context& context, int fd, std::span<const std::byte> data,
                                   std::span<const std::byte> control, int flags) {
  const auto found = find_socket(context, fd);
  if (!found) return std::unexpected(found.error());
  Socket& socket = **found;
  if (context.fires(FaultPoint::sendmsg_enobufs)) return std::unexpected(Errno::enobufs);
  OutgoingRights rights(context.machine);
  if (auto taken = rights.take(context, control); !taken) return std::unexpected(taken.error());
  if (socket.peer == nullptr) return std::unexpected(Errno::enotconn);
  if (socket.shut_send) return std::unexpected(Errno::epipe);
  if (data.empty()) return 0;
  if (context.fires(FaultPoint::sendmsg_eagain)) return std::unexpected(Errno::eagain);
  if (socket.charged >= context.machine.switches.socket_buffer_bytes) {
    if ((flags & abi::msg_dontwait) != 0) return std::unexpected(Errno::eagain);
    return context.would_block(fd, *socket.description);
  }
  if (rights.count() > 0 && (context.fires(FaultPoint::sendmsg_etoomanyrefs) || too_many_in_flight(context)))
    return std::unexpected(Errno::etoomanyrefs);
  if (context.fires(FaultPoint::sendmsg_short)) data = data.first((data.size() + 1) / 2);
  const std::size_t sent = enqueue_all(context.machine, socket, data, rights);
  if (sent == 0) return std::unexpected(Errno::enobufs);  // the machine's own memory limit
  if (sent < data.size() && (flags & abi::msg_dontwait) == 0) (void)context.would_block(fd, *socket.description);
  return sent;
}

namespace {

/// Nothing (more) is queued: why. EAGAIN is the caller's to decide.
os::Result<void> explain_empty(Socket& socket) {
  if (socket.pending_error != Errno::none) return std::unexpected(std::exchange(socket.pending_error, Errno::none));
  if (socket.shut_receive) return {};
  return std::unexpected(Errno::eagain);
}

/// Takes bytes buffer by buffer: stops after one that carried descriptors, and inside one that is not used up. A peek
/// does not stop when the caller's memory is full: it walks on and shows the next descriptors (a quirk of Linux).
void receive_buffers(Context& context, Socket& socket, std::span<std::byte> data, std::span<std::byte> control,
                     int flags, os::Received& received) {
  const bool peek = (flags & abi::msg_peek) != 0;
  for (Message* message = socket.first; message != nullptr;) {
    const std::size_t room = data.size() - received.bytes;
    const auto piece = std::min<std::size_t>(room, message->size - message->consumed);
    if (piece != 0) std::memcpy(data.data() + received.bytes, message->data + message->consumed, piece);
    received.bytes += piece;
    const bool had_rights = message->fd_count != 0;
    if (had_rights) deliver_rights(context, *message, control, flags, received);
    Message* next = message->next;
    if (!peek) {
      message->consumed += static_cast<std::uint32_t>(piece);
      if (message->consumed < message->size) return;
      socket.first = next;
      if (next == nullptr) socket.last = nullptr;
      destroy_message(context.machine, *message);
    }
    if (had_rights || (!peek && received.bytes == data.size())) return;
    message = next;
  }
}

}  // namespace

os::Result<os::Received> do_recvmsg(Context& context, int fd, std::span<std::byte> data, std::span<std::byte> control,
                                    int flags) {
  const auto found = find_socket(context, fd);
  if (!found) return std::unexpected(found.error());
  Socket& socket = **found;
  if (socket.state != SocketState::connected) return std::unexpected(Errno::einval);
  os::Received received;
  received.flags = flags & abi::msg_cmsg_cloexec;
  if (context.fires(FaultPoint::recvmsg_eagain)) return std::unexpected(Errno::eagain);
  if (socket.first == nullptr) {
    const auto ended = explain_empty(socket);
    if (ended) return received;
    if (ended.error() != Errno::eagain || (flags & abi::msg_dontwait) != 0) return std::unexpected(ended.error());
    return context.would_block(fd, *socket.description);
  }
  if (!data.empty() && context.fires(FaultPoint::recvmsg_short)) data = data.first(1);
  receive_buffers(context, socket, data, control, flags, received);
  context.output = data.first(received.bytes);
  return received;
}

}  // namespace vcpr::machine
