#include "properties/machine/event_waiter.hpp"

#include <limits>
#include <utility>

#include "properties/machine/state.hpp"

namespace vcpr::machine {

namespace {

void record(Machine::Impl& machine, Process* by, const Description& eventfd, bool written, std::uint64_t value) {
  machine.signals.append(machine.arena, {machine.current_call, by, eventfd.id, written, value});
}

void wake_waiters(Machine::Impl& machine, Description& eventfd) {
  for (EventWaiter* each = eventfd.waiters; each != nullptr;) {
    EventWaiter* next = each->next_waiter;  // a waiter may take itself off
    const bool ends = each->is_exclusive();
    each->signalled(machine, eventfd);
    if (ends) return;
    each = next;
  }
}

}  // namespace

void add_waiter(Description& eventfd, EventWaiter& waiter) {
  EventWaiter** link = &eventfd.waiters;
  if (waiter.is_exclusive()) {  // add_wait_queue_priority
    waiter.next_waiter = std::exchange(*link, &waiter);
    return;
  }
  while (*link != nullptr) link = &(*link)->next_waiter;
  *link = &waiter;
  waiter.next_waiter = nullptr;
}

void remove_waiter(Description& eventfd, EventWaiter& waiter) {
  for (EventWaiter** link = &eventfd.waiters; *link != nullptr; link = &(*link)->next_waiter) {
    if (*link != &waiter) continue;
    *link = std::exchange(waiter.next_waiter, nullptr);
    return;
  }
}

bool has_exclusive_waiter(const Description& eventfd) {
  return eventfd.waiters != nullptr && eventfd.waiters->is_exclusive();
}

void hang_up_waiters(Machine::Impl& machine, Description& eventfd) {
  while (eventfd.waiters != nullptr) {
    EventWaiter* waiter = std::exchange(eventfd.waiters, eventfd.waiters->next_waiter);
    waiter->next_waiter = nullptr;
    waiter->hung_up(machine, eventfd);
  }
}

void raise_counter(Machine::Impl& machine, Description& eventfd, std::uint64_t value, Process* by) {
  if (__builtin_add_overflow(eventfd.counter, value, &eventfd.counter))
    eventfd.counter = std::numeric_limits<std::uint64_t>::max();
  record(machine, by, eventfd, true, value);
  wake_waiters(machine, eventfd);
}

void signal_eventfd(Machine::Impl& machine, Description& eventfd) {
  raise_counter(machine, eventfd, 1, nullptr);
}

std::uint64_t take_counter(Machine::Impl& machine, Description& eventfd, Process* by) {
  if (eventfd.counter == 0) return 0;
  const std::uint64_t value = eventfd.semaphore ? 1 : eventfd.counter;
  eventfd.counter -= value;
  record(machine, by, eventfd, false, value);
  return value;
}

os::Result<Description*> find_eventfd(Context& context, int fd) {
  const Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(os::Errno::ebadf);
  if (slot->description->kind != FileKind::eventfd) return std::unexpected(os::Errno::einval);
  return slot->description;
}

}  // namespace vcpr::machine
