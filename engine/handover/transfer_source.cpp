#include <algorithm>
#include <utility>
#include <vector>

#include "engine/handover/main_channel.hpp"
#include "engine/handover/socket.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/os/abi.hpp"

namespace vcpr::handover {

namespace abi = os::abi;
using os::Errno;

namespace {

/// Made by the target's process, which may still be starting, or have its backlog full.
bool may_appear(Errno error) {
  return error == Errno::enoent || error == Errno::econnrefused || error == Errno::eagain;
}

}  // namespace

std::string_view name(SourcePhase phase) {
  switch (phase) {
    case SourcePhase::connecting:
      return "connecting";
    case SourcePhase::sending:
      return "sending";
    case SourcePhase::waiting_for_hang_up:
      return "waiting_for_hang_up";
    case SourcePhase::done:
      return "done";
    case SourcePhase::failed:
      return "failed";
  }
  return "unknown";
}

TransferSource::TransferSource(os::Kernel& kernel, std::string path, const CprState& state, Timeouts timeouts)
    : kernel_(kernel), state_(state), timeouts_(timeouts), path_(std::move(path)), sender_(kernel, out_) {
  deadline_ = os::Deadline::after(kernel_.now(), timeouts_.connect);
  record();
}

TransferSource::TransferSource(os::Kernel& kernel, os::Fd socket, const CprState& state, Timeouts timeouts)
    : kernel_(kernel), state_(state), timeouts_(timeouts), socket_(std::move(socket)), sender_(kernel, out_) {
  deadline_ = os::Deadline::after(kernel_.now(), timeouts_.transfer);
  phase_ = SourcePhase::sending;
  record();
}

void TransferSource::record() {
  generation_ = state_.descriptors.generation();
  Expected<void> saved = save_cpr_state(state_, Encoding::transfer, out_);
  if (!saved) refused_ = std::move(saved.error());
}

Expected<Advance> TransferSource::advance() {
  if (refused_) {
    cancel();
    return std::unexpected(*std::exchange(refused_, std::nullopt));
  }
  while (phase_ != SourcePhase::done) {
    Expected<std::optional<Advance>> stepped = step();
    if (!stepped) {
      cancel();
      return std::unexpected(std::move(stepped.error()));
    }
    if (*stepped) return **stepped;
  }
  return Advance{.done = true};
}

/// One phase: what to wait for, or nothing when the next phase has begun.
Expected<std::optional<Advance>> TransferSource::step() {
  switch (phase_) {
    case SourcePhase::connecting:
      return connect();
    case SourcePhase::sending:
      return send();
    case SourcePhase::waiting_for_hang_up:
      return wait_for_hang_up();
    case SourcePhase::done:
    case SourcePhase::failed:
      break;
  }
  return refuse(ErrorCode::bad_state, {"the transfer has ended: ", name(phase_)});
}

Expected<std::optional<Advance>> TransferSource::connect() {
  if (!socket_) {
    Expected<os::Fd> made = make_socket(kernel_, path_);
    if (!made) return std::unexpected(std::move(made.error()));
    socket_ = std::move(*made);
  }
  os::Result<void> connected = kernel_.connect(socket_.number(), path_);
  if (connected) {
    phase_ = SourcePhase::sending;
    deadline_ = os::Deadline::after(kernel_.now(), timeouts_.transfer);
    return std::nullopt;
  }
  Errno error = connected.error();
  if (error != Errno::eintr && !may_appear(error)) return refuse_os(error, {"connect to ", quoted(path_)});
  std::uint64_t now = kernel_.now();
  if (deadline_.passed(now)) {
    auto refusal = refuse(ErrorCode::timed_out, {"nobody accepts at ", quoted(path_)});
    refusal.error().os = error;
    return refusal;
  }
  return Advance{.until = std::min(deadline_, os::Deadline::after(now, kConnectRetry))};
}

Expected<std::optional<Advance>> TransferSource::send() {
  // A number whose entry has gone may be another file by now.
  if (generation_ != state_.descriptors.generation()) {
    return refuse(ErrorCode::bad_state, {"the table has changed while it was being sent"});
  }
  Expected<wire::Progress> sent = sender_.advance(socket_.number());
  if (!sent) return std::unexpected(std::move(sent.error()));
  if (*sent == wire::Progress::would_block) {
    if (!deadline_.passed(kernel_.now())) return wait(abi::pollout);
    return refuse(ErrorCode::timed_out, {"the target does not read the state"});
  }
  if (os::Result<void> closed = kernel_.shutdown(socket_.number(), abi::shut_wr); !closed) {
    return refuse_os(closed.error(), {"shutdown of the CPR socket"});
  }
  phase_ = SourcePhase::waiting_for_hang_up;
  deadline_ = os::Deadline::after(kernel_.now(), timeouts_.hang_up);
  return std::nullopt;
}

Expected<std::optional<Advance>> TransferSource::wait_for_hang_up() {
  Expected<HungUp> hung_up = look_for_hang_up(kernel_, socket_.number());
  if (!hung_up) return std::unexpected(std::move(hung_up.error()));
  if (*hung_up == HungUp::with_bytes_unread) {
    return refuse(ErrorCode::peer_closed, {"the target hung up before it had read the state"});
  }
  if (*hung_up == HungUp::yes) {
    std::vector<std::byte> farewell;
    (void)receive_some(kernel_, socket_.number(), farewell, 1);
    offered_ = !farewell.empty() && farewell.front() == kOffer;
    socket_.reset();
    phase_ = SourcePhase::done;
    return std::nullopt;
  }
  if (!deadline_.passed(kernel_.now())) return wait(0);
  return refuse(ErrorCode::timed_out, {"the target does not hang up"});
}

Advance TransferSource::wait(std::int16_t events) const {
  return {.fd = socket_.number(), .events = events, .until = deadline_};
}

void TransferSource::cancel() {
  if (phase_ == SourcePhase::done) return;
  phase_ = SourcePhase::failed;
  socket_.reset();
}

}  // namespace vcpr::handover
