// A main loop over Kernel::poll, for embedders that have none.
#pragma once

#include <map>

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
  /// descriptor that ends the wait and is the caller's, with its events; -1 for none. os_error of poll but EINTR, gone.
  Expected<void> turn(os::Deadline until, int also = -1, std::int16_t also_events = 0);
  bool is_watched(int fd) const { return handlers_.contains(fd); }

 private:
  void call_ready(int fd);
  void call_expired();

  os::Kernel& kernel_;
  std::map<int, FdHandler*> handlers_;
  std::map<std::uint64_t, std::pair<os::Deadline, TimerHandler*>> timers_;  ///< by order of call_at
  std::uint64_t next_order_ = 0;
};

}  // namespace vcpr::lifecycle
