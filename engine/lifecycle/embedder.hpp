// What the engine asks of the program that embeds it: its vCPUs, its main loop.
#pragma once

#include "engine/os/clock.hpp"
#include "engine/os/error.hpp"

namespace vcpr::lifecycle {

/// The vCPU threads. Registers and the like are sections that the embedder registers for itself.
class Vcpus {
 public:
  virtual ~Vcpus() = default;
  /// Returns when no vCPU executes guest code any more, and none will before resume(). Idempotent.
  virtual Expected<void> pause() = 0;
  /// Idempotent. Fails without effect.
  virtual Expected<void> resume() = 0;
};

/// Called by the main loop when its descriptor is readable.
class FdHandler {
 public:
  virtual ~FdHandler() = default;
  virtual void ready(int fd) = 0;
};

class TimerHandler {
 public:
  virtual ~TimerHandler() = default;
  virtual void expired() = 0;
};

/// The main loop. One handler a descriptor; handlers may be watched and unwatched from within one.
class EventLoop {
 public:
  virtual ~EventLoop() = default;
  /// Replaces the handler if the descriptor has one. Level triggered.
  virtual void watch(int fd, FdHandler& handler) = 0;
  /// Nothing when it is not watched.
  virtual void unwatch(int fd) = 0;
  /// One deadline a handler: the last one counts.
  virtual void call_at(os::Deadline deadline, TimerHandler& handler) = 0;
  virtual void cancel(TimerHandler& handler) = 0;
};

}  // namespace vcpr::lifecycle
