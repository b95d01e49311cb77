// cpr-transfer of the CPR state: source and target as phase machines over a unix stream socket.
//
// source: connecting -> sending -> half-closed, waiting for the target to hang up -> done
// target: listening -> receiving until the half-close -> loaded (done) -> acknowledge() hangs up
//
// The peer may be a QEMU 10.1 to 11.1. Neither side blocks: advance() does what can be done and says what to wait for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/handover/advance.hpp"
#include "engine/handover/cpr_state.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/kernel.hpp"
#include "engine/wire/channel.hpp"

namespace vcpr::handover {

enum class SourcePhase : std::uint8_t { connecting, sending, waiting_for_hang_up, done, failed };
enum class TargetPhase : std::uint8_t { listening, receiving, loaded, done, failed };
std::string_view name(SourcePhase phase);
std::string_view name(TargetPhase phase);

class TransferSource {
 public:
  /// Records `state` now; it must outlive the transfer, whose descriptors it keeps open. `path`: socket of the target.
  TransferSource(os::Kernel& kernel, std::string path, const CprState& state, Timeouts timeouts = {});
  /// Over a connected socket that the caller made.
  TransferSource(os::Kernel& kernel, os::Fd socket, const CprState& state, Timeouts timeouts = {});

  /// timed_out, peer_closed (before everything was sent), os_error, gone. After an error the socket is closed and
  /// nothing else was changed: there is nothing more to roll back.
  Expected<Advance> advance();
  SourcePhase phase() const { return phase_; }
  /// Gives up; idempotent, also after done or failed.
  void cancel();
  /// DescriptorTable::generation() at the time of recording; differs from the table's now: record and send anew.
  std::uint64_t generation() const { return generation_; }

 private:
  SourcePhase phase_ = SourcePhase::connecting;
  std::uint64_t generation_ = 0;
  // the room's owner fills this in
};

class TransferTarget {
 public:
  /// Binds and listens at `path`; a socket file left behind by another process is refused (EADDRINUSE).
  TransferTarget(os::Kernel& kernel, std::string path, Peer peer = Peer::current, Timeouts timeouts = {});
  /// Over a connected socket, or a listening one, that the caller made.
  enum class Given : std::uint8_t { connected, listening };
  TransferTarget(os::Kernel& kernel, os::Fd socket, Given given, Peer peer = Peer::current, Timeouts timeouts = {});

  /// done when the whole state is loaded and verified (kinds included). Every error of load_cpr_state and verify_kinds,
  /// timed_out, lost_descriptor, os_error, gone. After an error every received descriptor is closed.
  Expected<Advance> advance();
  TargetPhase phase() const { return phase_; }
  /// The loaded state; once, after done. bad_state otherwise.
  Expected<CprState> take_state();
  /// Tells the source that this side is ready for the main channel: closes the socket. Idempotent.
  void acknowledge();

 private:
  TargetPhase phase_ = TargetPhase::listening;
  // the room's owner fills this in
};

}  // namespace vcpr::handover
