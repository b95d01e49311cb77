// How long the guest stood still while a real QEMU handed it over: by its own TSC, as with ours.
//
// That of ours goes on, and its longest gap is the answer. QEMU stops the guest's TSC with the guest; here the host's
// is found behind it, by what KVM tells of each VM in debugfs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <sys/types.h>

#include "properties/handover/guest_ram.hpp"

namespace vcpr::live {

class QemuDowntime {
 public:
  /// `old`: the process that runs the guest.
  QemuDowntime(GuestRam& ram, pid_t old);

  /// To be called while the guest stands still: makes its next heartbeat the longest gap, that since TSC 0.
  void mark();
  /// The guest had gone on when it was marked.
  void forget_mark() { last_.reset(); }
  /// Microseconds between the last heartbeat in the old process and the first in `young`; kNoTime when it is not known.
  long measure(pid_t young) const;

 private:
  using Clock = std::chrono::steady_clock;

  GuestRam& ram_;
  std::optional<std::int64_t> old_offset_;  ///< guest's TSC - host's
  std::optional<std::int64_t> last_;        ///< the host's TSC
  std::uint64_t cycles_at_start_;
  Clock::time_point start_;
};

}  // namespace vcpr::live
