// What the machine knows about a process's descriptors, in the few shapes the invariants compare.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/handover/cpr_state.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::invariants {

/// An open descriptor and the open file description behind it.
struct Descriptor {
  int number = -1;
  std::uint32_t description = 0;  ///< numbered from 1 by the machine, the same through SCM_RIGHTS, dup and execve
  bool close_on_exec = false;
  int status_flags = 0;  ///< as F_GETFL
  std::uint64_t offset = 0;
};

/// The descriptor under this number; nothing when it is not open, or the process is dead.
std::optional<Descriptor> look(const machine::Process& process, int number);
/// All of them, by ascending number.
std::vector<Descriptor> open_descriptors(const machine::Process& process);
/// How many close() calls of this process's current image met a number that was not open.
std::uint64_t failed_closes(const machine::Machine& machine, const machine::Process& process);

/// One entry of a table as it was when the state was recorded.
struct RecordedEntry {
  std::string name;
  std::int32_t id = 0;
  Descriptor descriptor;
};
/// Entries in order of the table. A number that is not open is recorded with description 0.
std::vector<RecordedEntry> record(const machine::Process& process, const handover::CprState& state);

}  // namespace vcpr::invariants
