// What the invariants look at: two processes of a machine, what was recorded, what each side holds now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/handover/cpr_state.hpp"
#include "properties/invariants/truth.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::invariants {

/// One side of a handover.
struct Side {
  const machine::Process* process = nullptr;  ///< null: there is none (yet)
  const handover::CprState* state = nullptr;  ///< null: it has none; not looked at when the process is dead
  std::span<const int> others;                ///< open numbers that are not the table's, ascending: its sockets, stdin
};

/// A state that was saved, loaded and saved again.
struct SavedTwice {
  handover::Encoding encoding{};
  std::span<const std::byte> first;
  std::span<const std::byte> second;
};

/// The load of a stream that may have been damaged.
struct DamagedLoad {
  handover::Encoding encoding{};
  std::span<const std::byte> stream;
  const Expected<handover::CprState>* result = nullptr;
  std::uint64_t peak_bytes = 0;  ///< allocated at once during the load; 0 when nobody counted
};
/// What a load may allocate at once beyond this many times the stream's size: entries, index, copies.
inline constexpr std::uint64_t kLoadBytesPerStreamByte = 16;
inline constexpr std::uint64_t kLoadBytesAtLeast = 64u << 10;

/// How an attempt went, for the invariants about its end.
struct Attempt {
  bool ended = true;          ///< both sides came to done or failed within the limits
  std::string stuck;          ///< where it was when it did not
  bool must_succeed = false;  ///< no fault, no event, nothing wrong with the table
  bool succeeded = false;
  std::string wanted;   ///< the error the scenario must meet, or empty; checked when `must_succeed` is false
  std::string outcome;  ///< "done", or the error
};

struct World {
  const machine::Machine* machine = nullptr;
  handover::Encoding encoding{};
  std::span<const RecordedEntry> recorded;  ///< the old process's table at the beginning of the attempt
  Side old_side;
  Side new_side;
  bool exec_under_way = false;  ///< between the start of ExecSource::exec and its return
  bool loaded = false;          ///< new has accepted the state
  bool claimed = false;         ///< new has claimed what it wants and found nothing left over
  std::span<const store::Key> optional_keys;
  const SavedTwice* saved_twice = nullptr;
  const DamagedLoad* damaged = nullptr;
  const Attempt* attempt = nullptr;
};

}  // namespace vcpr::invariants
