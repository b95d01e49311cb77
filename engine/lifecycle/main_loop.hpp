// A main loop over Kernel::poll, for embedders that have none.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "engine/lifecycle/embedder.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::lifecycle {

class MainLoop final : public EventLoop {
 public:
  explicit MainLoop(os::Kernel& kernel) : kernel_(kernel) {}

  void watch(int fd, FdHandler& handler) override;
  void unwatch(int fd) override;
  void call_at(os::Deadline deadline, TimerHandler& handler) override;
  void cancel(TimerHandler& handler) override;

  /// Waits for a descriptor, a timer or `until`, and calls what is due, lowest descriptor first. `also`: one more
  /// descriptor that ends the wait and is the caller's, with its events; -1 for none. Timers that are due at once are
  /// called in the order of their deadlines, then of call_at; one that a handler sets waits for the next turn.
  /// os_error of poll but EINTR, gone; bad_descriptor: what is watched was closed.
  Expected<void> turn(os::Deadline until, int also = -1, std::int16_t also_events = 0);
  bool is_watched(int fd) const { return find(fd) != nullptr; }

 private:
  /// A watch is known by its order: the number may be another file by the time it is called.
  struct Watch {
    FdHandler* handler = nullptr;  ///< null: the descriptor is not watched
    std::uint64_t order = 0;
  };
  using TimerKey = std::pair<os::Deadline, std::uint64_t>;  ///< and order of call_at

  /// Null when it is not watched.
  const Watch* find(int fd) const;
  Expected<void> call_ready(std::span<const os::PollFd> polled, std::uint64_t before);
  void call_expired(std::uint64_t before);

  os::Kernel& kernel_;
  std::vector<Watch> watches_;  ///< by descriptor: the kernel gives out the lowest free number
  std::map<TimerKey, TimerHandler*> timers_;
  std::uint64_t next_order_ = 0;
  std::vector<os::PollFd> spare_;  ///< of the last turn, for its room
};

}  // namespace vcpr::lifecycle
