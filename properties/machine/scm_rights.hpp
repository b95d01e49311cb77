// Descriptors that travel in messages: taken from a control buffer, held in flight, installed at the receiver.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/os/scm_rights.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

struct Message;

/// The descriptions a send takes along; holds a reference to each until they go into a message or away.
class OutgoingRights {
 public:
  explicit OutgoingRights(Machine::Impl& machine) : machine_(machine) {}
  OutgoingRights(const OutgoingRights&) = delete;
  OutgoingRights& operator=(const OutgoingRights&) = delete;
  ~OutgoingRights();

  /// EINVAL for a malformed or foreign header or more than SCM_MAX_FD in all; EBADF.
  os::Result<void> take(Context& context, std::span<const std::byte> control);
  std::uint32_t count() const { return count_; }
  /// Hands the references over to the message.
  void put_into(Message& message);

 private:
  os::Result<void> take_header(Context& context, std::span<const std::byte> data);

  Machine::Impl& machine_;
  std::uint32_t count_ = 0;
  std::array<Description*, os::kScmMaxFd> taken_;  // the first count_ are set
};

/// Installs the descriptors of `message` as far as control buffer, limit and fault allow, and writes the header.
/// Consumes the message's references unless `peek`.
void deliver_rights(Context& context, Message& message, std::span<std::byte> control, int flags,
                    os::Received& received);

/// Releases sockets that only messages in each other's queues still hold. Due whenever a socket was closed, as in the
/// kernel (unix_release_sock calls unix_gc), not when its last descriptor went and the queues still hold it.
void collect_cycles(Machine::Impl& machine);

}  // namespace vcpr::machine
