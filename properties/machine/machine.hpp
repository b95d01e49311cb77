// The simulated machine: what a VMM can see of Linux, with nothing happening that the input did not ask for.
//
// A Machine is constructed per input and never reset. It owns processes, open file descriptions and time; each
// process image sees it through an os::Kernel. properties/machine/README.md is its contract.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "engine/os/kernel.hpp"
#include "properties/machine/fault.hpp"

namespace vcpr::machine {

class Process;

/// The syscall about to be made, for the schedule and the trace.
struct CallSite {
  Process* process = nullptr;
  std::uint64_t number = 0;  ///< counts the calls of the whole machine from 0
  Call call{};
};

/// The world between two calls. Asked before every syscall of every process, except those made from within it.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// May advance time, raise signals, kill processes, run another process, or return a fault for this very call.
  virtual FaultPoint before(const CallSite& site) = 0;
};

/// What differs between kernels and set-ups.
struct Switches {
  std::uint32_t descriptor_limit = 1024;       ///< RLIMIT_NOFILE of a new process
  std::uint32_t socket_buffer_bytes = 212992;  ///< net.core.wmem_default: what a stream socket takes unread
};

class Machine {
 public:
  explicit Machine(const Switches& switches = {});
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// A new process with an empty descriptor table and one image. Lives as long as the machine.
  Process& spawn();
  /// Like fork: copies descriptors (sharing descriptions), environment and limits.
  Process& fork(Process& parent);

  void set_schedule(Schedule* schedule);
  std::uint64_t now() const;
  /// Time moves only by this, or by a poll that nothing else can end: then to its deadline.
  void advance_time(std::uint64_t nanoseconds);
  /// Over every call, argument, result and the state at the end: equal inputs give equal hashes.
  std::uint64_t hash() const;
  std::uint64_t calls() const;

  // Truth, for invariants: see truth.hpp.
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  Impl* impl_;
};

class Process {
 public:
  /// The current image's view. A dead or replaced image's Kernel answers gone for ever; it lives as long as the
  /// machine.
  os::Kernel& kernel();
  bool alive() const;
  std::uint32_t pid() const;
  /// As SIGKILL: descriptors close, the address space goes, at once.
  void kill();
  /// How many images execve has made, from 0.
  std::uint32_t image() const;
};

}  // namespace vcpr::machine
