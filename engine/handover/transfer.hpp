// cpr-transfer of the CPR state: source and target as phase machines over a unix stream socket.
//
// source: connecting -> sending -> half-closed, waiting for the target to hang up -> done
// target: listening -> receiving until the half-close -> loaded -> acknowledge() hangs up -> done
//
// The peer may be a QEMU 10.1 to 11.1. Neither side blocks: advance() does what can be done and says what to wait for.
// A hang-up is all the source ever hears (QEMU's protocol): a target that refuses the state after reading it looks like
// one that took it. One that dies earlier does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

/// A source that cannot connect yet tries again after this long.
inline constexpr os::Duration kConnectRetry = os::Duration::milliseconds(10);

class TransferSource {
 public:
  /// Records `state` now; it must outlive the transfer, whose descriptors it keeps open. `path`: socket of the target.
  /// The time to connect runs from here.
  TransferSource(os::Kernel& kernel, std::string path, const CprState& state, Timeouts timeouts = {});
  /// Over a connected socket that the caller made.
  TransferSource(os::Kernel& kernel, os::Fd socket, const CprState& state, Timeouts timeouts = {});
  TransferSource(const TransferSource&) = delete;
  TransferSource& operator=(const TransferSource&) = delete;

  /// timed_out, peer_closed (before it had read everything), bad_state (after a failure, or the table changed while its
  /// numbers were still being sent), os_error, gone, and what save_cpr_state refused. After an error the socket is
  /// closed and nothing else was changed: there is nothing more to roll back.
  Expected<Advance> advance();
  SourcePhase phase() const { return phase_; }
  /// Gives up: failed, unless done. Idempotent.
  void cancel();
  /// DescriptorTable::generation() at the time of recording; differs from the table's now: record and send anew.
  std::uint64_t generation() const { return generation_; }
  /// After done: the target is a vcpr that answers on the main channel (main_channel.hpp).
  bool is_offered_an_answer() const { return offered_; }

 private:
  void record();
  Expected<std::optional<Advance>> step();
  Expected<std::optional<Advance>> connect();
  Expected<std::optional<Advance>> send();
  Expected<std::optional<Advance>> wait_for_hang_up();
  Advance wait(std::int16_t events) const;

  os::Kernel& kernel_;
  const CprState& state_;
  Timeouts timeouts_;
  std::string path_;
  os::Fd socket_;
  wire::Outbox out_;
  wire::SocketSender sender_;
  os::Deadline deadline_;  ///< of the phase
  SourcePhase phase_ = SourcePhase::connecting;
  std::uint64_t generation_ = 0;
  bool offered_ = false;
  std::optional<Error> refused_;  ///< by the recording; the first advance() reports it
};

class TransferTarget {
 public:
  /// Binds and listens at `path`; a socket file left behind by another process is refused (EADDRINUSE). The path is
  /// unlinked and the listener closed with the first connection: there is no second. The time to connect runs from
  /// here.
  TransferTarget(os::Kernel& kernel, std::string path, Peer peer = Peer::current, Timeouts timeouts = {});
  /// Over a connected socket, or a listening one, that the caller made. A listening one is made non-blocking.
  enum class Given : std::uint8_t { connected, listening };
  TransferTarget(os::Kernel& kernel, os::Fd socket, Given given, Peer peer = Peer::current, Timeouts timeouts = {});
  ~TransferTarget() { let_go(); }
  TransferTarget(const TransferTarget&) = delete;
  TransferTarget& operator=(const TransferTarget&) = delete;

  /// done when the whole state is loaded and verified (kinds included). Every error of load_cpr_state and verify_kinds,
  /// timed_out, lost_descriptor, bad_state (after a failure), os_error, gone. After an error every received descriptor
  /// is closed.
  Expected<Advance> advance();
  TargetPhase phase() const { return phase_; }
  /// The loaded state; once, after done. bad_state otherwise.
  Expected<CprState> take_state();
  /// Tells the source that this side is ready for the main channel: closes the socket. Nothing before the state is
  /// loaded. `with_offer`: says before that it would answer there (main_channel.hpp). Idempotent.
  void acknowledge(bool with_offer = false);
  /// Gives up: failed, unless done; a state that was not taken is closed. Idempotent.
  void cancel();

 private:
  Expected<std::optional<Advance>> step();
  Expected<std::optional<Advance>> accept();
  Expected<std::optional<Advance>> receive();
  Expected<void> load();
  Expected<std::optional<Advance>> wait(std::string_view what) const;
  void start_receiving(os::Fd connection);
  void let_go();

  os::Kernel& kernel_;
  Peer peer_;
  Timeouts timeouts_;
  std::string path_;  ///< while a socket file of ours is there
  os::Fd socket_;     ///< the listener, then the connection
  wire::Inbox inbox_;
  wire::SocketReceiver receiver_;
  bool header_checked_ = false;
  std::optional<CprState> state_;
  os::Deadline deadline_;  ///< of the phase
  TargetPhase phase_ = TargetPhase::listening;
  std::optional<Error> refused_;  ///< by the constructor; the first advance() reports it
};

}  // namespace vcpr::handover
