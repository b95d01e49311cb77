// Who is charged for locked and pinned memory: an mm, and the user it belongs to (mm/util.c, account_locked_vm).
//
// An mm is a process image: it goes when the process dies or execs. All processes of a machine belong to one user.
#pragma once

#include <cstdint>

#include "engine/os/kernel.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::machine {

struct ProcessState;

/// An mm, by process and image; of a dead one only its being dead is known.
struct Mm {
  ProcessState* process = nullptr;
  std::uint32_t image = 0;

  static Mm of(ProcessState& process);
  bool has_users() const;
  bool operator==(const Mm&) const = default;
};

/// Adds to VmLck; ENOMEM above RLIMIT_MEMLOCK of the process unless `unlimited` (CAP_IPC_LOCK).
os::Result<void> charge_locked(const Mm& mm, std::uint64_t pages, bool unlimited);
/// Nothing when the mm is dead.
void uncharge_locked(const Mm& mm, std::uint64_t pages);

}  // namespace vcpr::machine
