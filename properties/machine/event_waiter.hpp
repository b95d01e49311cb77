// Who in the kernel waits on an eventfd, and how the kernel signals one (fs/eventfd.c).
//
// VFIO, irqfds and virqfds hold the context of an eventfd, not its file: a Description is never freed, so they keep a
// plain pointer, which counts signals for nobody once the file is closed.
#pragma once

#include <cstdint>

#include "properties/machine/description.hpp"

namespace vcpr::machine {

struct Context;

/// A KVM irqfd or a VFIO virqfd on an eventfd. Lives in the arena.
class EventWaiter {
 public:
  /// The eventfd was signalled or written, its counter has grown; may consume it with take_counter().
  virtual void signalled(Machine::Impl& machine, Description& eventfd) = 0;
  /// The eventfd's last file is closed. The waiter is already off its list.
  virtual void hung_up(Machine::Impl& machine, Description& eventfd) = 0;
  /// Exclusive priority waiters (irqfds) are in front: only the first is woken, and nobody after it.
  virtual bool is_exclusive() const = 0;

  EventWaiter* next_waiter = nullptr;

 protected:
  ~EventWaiter() = default;
};

void add_waiter(Description& eventfd, EventWaiter& waiter);
void remove_waiter(Description& eventfd, EventWaiter& waiter);
bool has_exclusive_waiter(const Description& eventfd);
/// At the last close of the file.
void hang_up_waiters(Machine::Impl& machine, Description& eventfd);

/// Adds to the counter, which saturates, and wakes who waits. `by`: the process that wrote, null: the kernel.
void raise_counter(Machine::Impl& machine, Description& eventfd, std::uint64_t value, Process* by);
/// eventfd_signal(): the kernel adds one.
void signal_eventfd(Machine::Impl& machine, Description& eventfd);
/// eventfd_ctx_do_read(): what a read takes (all, or 1 in semaphore mode, 0 if empty). `by` as above.
std::uint64_t take_counter(Machine::Impl& machine, Description& eventfd, Process* by = nullptr);
/// The eventfd behind a number of the caller: EBADF, EINVAL when it is another file.
os::Result<Description*> find_eventfd(Context& context, int fd);

}  // namespace vcpr::machine
