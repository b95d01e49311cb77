#include "properties/machine/scm_rights.hpp"

#include <algorithm>
#include <cstring>

#include "engine/os/abi.hpp"
#include "properties/machine/unix_socket.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// struct cmsghdr.
struct Header {
  std::uint64_t length;
  std::int32_t level;
  std::int32_t type;
};
static_assert(sizeof(Header) == os::kControlHeaderBytes);

constexpr std::size_t align(std::size_t bytes) {
  return (bytes + os::kControlAlignment - 1) / os::kControlAlignment * os::kControlAlignment;
}

void count_in_flight(Machine::Impl& machine, const Description& description, int by) {
  machine.in_flight += static_cast<std::uint32_t>(by);
  if (description.socket != nullptr) machine.sockets_in_flight += static_cast<std::uint32_t>(by);
}

}  // namespace

OutgoingRights::~OutgoingRights() {
  for (std::uint32_t i = 0; i < count_; ++i) release(machine_, *taken_[i]);
}

os::Result<void> OutgoingRights::take(Context& context, std::span<const std::byte> control) {
  while (control.size() >= sizeof(Header)) {
    Header header;
    std::memcpy(&header, control.data(), sizeof header);
    if (header.length < sizeof header || header.length > control.size()) return std::unexpected(Errno::einval);
    if (header.level == abi::sol_socket) {
      if (header.type != abi::scm_rights) return std::unexpected(Errno::einval);
      const auto taken = take_header(context, control.subspan(sizeof header, header.length - sizeof header));
      if (!taken) return taken;
    }
    control = control.subspan(std::min(control.size(), align(header.length)));
  }
  return {};
}

os::Result<void> OutgoingRights::take_header(Context& context, std::span<const std::byte> data) {
  const std::size_t count = data.size() / sizeof(std::int32_t);
  if (count > os::kScmMaxFd - count_) return std::unexpected(Errno::einval);
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t number = -1;
    std::memcpy(&number, data.data() + i * sizeof number, sizeof number);
    Slot* slot = context.find(number);
    if (slot == nullptr) return std::unexpected(Errno::ebadf);
    acquire(*slot->description);
    taken_[count_++] = slot->description;
  }
  return {};
}

void OutgoingRights::put_into(Message& message) {
  if (count_ == 0) return;
  message.fds = machine_.arena.make_array<Description*>(count_);
  message.fd_count = count_;
  std::copy_n(taken_.data(), count_, message.fds);
  for (std::uint32_t i = 0; i < count_; ++i) count_in_flight(machine_, *taken_[i], 1);
  count_ = 0;
}

namespace {

/// How many of the message's descriptors get a number: room in the buffer, room in the table, and the fault.
std::uint32_t install_all(Context& context, const Message& message, std::span<std::byte> control, int flags) {
  const std::size_t room = control.size() <= sizeof(Header) ? 0 : (control.size() - sizeof(Header)) / 4;
  auto count = static_cast<std::uint32_t>(std::min<std::size_t>(room, message.fd_count));
  if (count > 0 && context.fires(FaultPoint::recvmsg_emfile_truncates)) count /= 2;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto number = context.install(*message.fds[i], (flags & abi::msg_cmsg_cloexec) != 0);
    if (!number) return i;
    const std::int32_t value = *number;
    std::memcpy(control.data() + sizeof(Header) + i * sizeof value, &value, sizeof value);
  }
  return count;
}

void drop_rights(Machine::Impl& machine, Message& message) {
  const std::uint32_t count = std::exchange(message.fd_count, 0);
  for (std::uint32_t i = 0; i < count; ++i) {
    count_in_flight(machine, *message.fds[i], -1);
    release(machine, *message.fds[i]);
  }
  if (count != 0) machine.arena.give_back(message.fds, count * sizeof(Description*));
}

}  // namespace

void deliver_rights(Context& context, Message& message, std::span<std::byte> control, int flags,
                    os::Received& received) {
  const std::uint32_t installed = install_all(context, message, control, flags);
  if (installed < message.fd_count) received.flags |= abi::msg_ctrunc;
  if (installed > 0) {
    const Header header{sizeof header + installed * sizeof(std::int32_t), abi::sol_socket, abi::scm_rights};
    std::memcpy(control.data(), &header, sizeof header);
    received.control = std::min(control.size(), os::scm_rights_space(installed));
  }
  if ((flags & abi::msg_peek) == 0) drop_rights(context.machine, message);
}

void destroy_message(Machine::Impl& machine, Message& message) {
  drop_rights(machine, message);
  message.sender->charged -= message.charge;
  machine.arena.give_back(message.data, message.size);
  machine.arena.destroy(&message);
}

namespace {

/// Marks what is reachable from descriptors through queues; `next_dying` links the work still to do.
class Marker {
 public:
  void add(Description& description) {
    if (std::exchange(description.reachable, true) || description.socket == nullptr) return;
    description.next_dying = std::exchange(work_, &description);
  }
  void run() {
    while (work_ != nullptr) {
      Socket& socket = *std::exchange(work_, work_->next_dying)->socket;
      add_queue(socket);
      for (Socket* waiting = socket.backlog_first; waiting != nullptr; waiting = waiting->backlog_next)
        add_queue(*waiting);
    }
  }

 private:
  void add_queue(const Socket& socket) {
    for (Message* message = socket.first; message != nullptr; message = message->next)
      for (std::uint32_t i = 0; i < message->fd_count; ++i) add(*message->fds[i]);
  }

  Description* work_ = nullptr;
};

/// Drops every message queued at a socket nobody can reach any more.
void empty_queue(Machine::Impl& machine, Socket& socket) {
  while (socket.first != nullptr) {
    Message* message = std::exchange(socket.first, socket.first->next);
    if (socket.first == nullptr) socket.last = nullptr;
    destroy_message(machine, *message);
  }
}

}  // namespace

void collect_cycles(Machine::Impl& machine) {
  if (machine.sockets_in_flight == 0) return;
  for (Description* each = machine.first_description; each != nullptr; each = each->next) each->reachable = false;
  Marker marker;
  for (ProcessState* process = machine.first_process; process != nullptr; process = process->next)
    for (std::uint32_t number = 0; number < process->table.end(); ++number)
      if (Slot* slot = process->table.find(static_cast<int>(number))) marker.add(*slot->description);
  marker.run();
  for (Description* each = machine.first_description; each != nullptr; each = each->next)
    if (!each->reachable && each->references != 0 && each->socket != nullptr) empty_queue(machine, *each->socket);
}

}  // namespace vcpr::machine
