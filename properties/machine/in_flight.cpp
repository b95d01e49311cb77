#include "properties/machine/in_flight.hpp"

#include <utility>

#include "properties/machine/state.hpp"
#include "properties/machine/unix_socket.hpp"

namespace vcpr::machine {

namespace {

std::vector<Message*> messages(Machine& machine) {
  std::vector<Message*> found;
  for (Description* each = machine.impl().first_description; each != nullptr; each = each->next) {
    if (each->references == 0 || each->socket == nullptr) continue;
    for (Message* message = each->socket->first; message != nullptr; message = message->next) found.push_back(message);
  }
  return found;
}

}  // namespace

std::vector<std::span<std::byte>> bytes_in_flight(Machine& machine) {
  std::vector<std::span<std::byte>> bytes;
  for (Message* each : messages(machine)) {
    if (each->consumed < each->size) bytes.emplace_back(each->data + each->consumed, each->size - each->consumed);
  }
  return bytes;
}

bool swap_descriptors_in_flight(Machine& machine, std::uint32_t where) {
  const std::vector<Message*> all = messages(machine);
  std::uint32_t pairs = 0;
  for (const Message* each : all) pairs += each->fd_count > 1 ? each->fd_count - 1 : 0;
  if (pairs == 0) return false;
  where %= pairs;
  for (Message* each : all) {
    const std::uint32_t here = each->fd_count > 1 ? each->fd_count - 1 : 0;
    if (where < here) {
      std::swap(each->fds[where], each->fds[where + 1]);
      return true;
    }
    where -= here;
  }
  return false;
}

}  // namespace vcpr::machine
