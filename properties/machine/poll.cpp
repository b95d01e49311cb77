#include "properties/machine/poll.hpp"

#include <algorithm>

#include "engine/os/abi.hpp"
#include "properties/machine/eventfd.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/unix_socket.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

std::int16_t events_of(const Machine::Impl& machine, const Description& description) {
  if (description.socket != nullptr) return socket_events(machine, *description.socket);
  if (description.kind == FileKind::eventfd) return eventfd_events(description);
  // DEFAULT_POLLMASK: what has no poll operation is always ready
  return static_cast<std::int16_t>(abi::pollin | abi::pollout | kPollRdNorm | kPollWrNorm);
}

namespace {

int look(Context& context, std::span<os::PollFd> fds) {
  int ready = 0;
  for (os::PollFd& each : fds) {
    each.revents = 0;
    if (each.fd < 0) continue;
    const Slot* slot = context.process.table.find(each.fd);
    const int wanted = each.events | abi::pollerr | abi::pollhup;
    const int seen = slot == nullptr ? abi::pollnval : wanted & events_of(context.machine, *slot->description);
    each.revents = static_cast<std::int16_t>(seen);
    ready += each.revents != 0;
  }
  return ready;
}

/// Asks the schedule to do something else meanwhile; false when it has nothing to do.
bool let_others_run(Context& context) {
  Machine::Impl& machine = context.machine;
  if (machine.schedule == nullptr || machine.in_schedule) return false;
  machine.in_schedule = true;
  const bool did =
      machine.schedule->idle({&context.process, machine.current_call, context.process.call_count - 1, Call::poll});
  machine.in_schedule = false;
  return did;
}

}  // namespace

os::Result<int> do_poll(Context& context, std::span<os::PollFd> fds, os::Deadline deadline) {
  Machine::Impl& machine = context.machine;
  if (fds.size() > context.process.descriptor_limit) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::poll_enomem)) return std::unexpected(Errno::enomem);
  if (context.fires(FaultPoint::poll_eintr)) return std::unexpected(Errno::eintr);
  const std::uint32_t image = context.process.images;
  for (;;) {
    const int ready = look(context, fds);
    if (ready > 0 || deadline.passed(machine.now)) return ready;
    const std::uint64_t number = machine.current_call;
    const bool did = let_others_run(context);
    machine.current_call = number;
    if (!context.process.lives || context.process.images != image) return std::unexpected(Errno::gone);
    if (did) continue;
    if (machine.next_timer != kNever && machine.next_timer <= deadline.nanoseconds) {
      machine.now = std::max(machine.now, machine.next_timer);
      run_timers(machine);
      continue;
    }
    if (deadline == os::Deadline::never()) {
      machine.would_block.append(machine.arena, {machine.current_call, &context.process, -1, Call::poll});
      return 0;
    }
    machine.now = deadline.nanoseconds;
  }
}

}  // namespace vcpr::machine
