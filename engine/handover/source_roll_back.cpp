// How an attempt is undone. Nothing here ends the process, everything may be asked again.
#include <utility>

#include "engine/handover/socket.hpp"
#include "engine/handover/source_attempt.hpp"
#include "engine/os/abi.hpp"

namespace vcpr::handover {

Source::~Source() {
  if (phase_ == Phase::done || phase_ == Phase::failed) return;
  cancel();
  (void)take_back();
  if (phase_ == Phase::failed) return;
  // A target with the whole stream that hears no last word runs the guest.
  if (attempt_->asks && attempt_->all_sent && !attempt_->said_last_word) {
    give_away();
  } else {
    (void)end(RollBack::incomplete);
  }
}

void Source::cancel() {
  if (phase_ == Phase::done || phase_ == Phase::failed || phase_ == Phase::rolling_back) return;
  fail(refuse(ErrorCode::bad_state, {"the handover was cancelled while it was ", name(phase_)}).error());
}

/// `error`: why.
void Source::fail(Error error) {
  attempt_->reason = std::move(error);
  phase_ = Phase::rolling_back;
  attempt_->table.reset();
}

Expected<Advance> Source::take_back() {
  if (!attempt_->is_begun || attempt_->reason->code == ErrorCode::gone) return end(RollBack::not_needed);
  if (std::optional<Advance> wait = part_from_target()) return *wait;
  attempt_->image.reset();
  bool was_needed = vm_.is_stopped();
  Expected<void> back = life().participants.take_back();
  if (back) back = vm_.resume_here();
  if (back) return end(was_needed ? RollBack::complete : RollBack::not_needed);
  obstacle_ = std::move(back.error());
  if (obstacle_->os == os::Errno::ebusy) {
    roll_back_ = RollBack::waiting_for_peer;
    return retry();
  }
  if (++attempt_->failures < kTakeBackAttempts && obstacle_->code != ErrorCode::gone) return retry();
  return end(RollBack::incomplete);
}

/// A peer that was sent something may have loaded it, and may run: it must be gone, or have given up, first (invariant
/// I45). Answers what to wait for.
std::optional<Advance> Source::part_from_target() {
  if (!attempt_->sender || !attempt_->socket) return std::nullopt;
  int socket = attempt_->socket.number();
  bool is_heard = say_abort();
  Expected<HungUp> hung_up = look_for_hang_up(kernel(), socket);
  if (hung_up && *hung_up != HungUp::no) {
    attempt_->socket.reset();
    return std::nullopt;
  }
  obstacle_ = hung_up ? refuse(ErrorCode::bad_state, {"the target has not hung up on the main channel"}).error()
                      : std::move(hung_up.error());
  roll_back_ = RollBack::waiting_for_peer;
  Advance wait = retry();
  wait.fd = socket;
  if (is_heard && hung_up) wait.until = os::Deadline::never();
  return wait;
}

/// False: to be said again.
bool Source::say_abort() {
  if (attempt_->said_last_word) return true;
  int socket = attempt_->socket.number();
  if (attempt_->asks && attempt_->all_sent) {
    attempt_->said_last_word = send_byte(kernel(), socket, static_cast<std::byte>(Word::abort)).value_or(false);
  } else {
    attempt_->said_last_word = kernel().shutdown(socket, os::abi::shut_wr).has_value();
  }
  return attempt_->said_last_word;
}

Advance Source::retry() const {
  return {.until = os::Deadline::after(vm_.life().kernel.now(), kTakeBackRetry)};
}

/// The attempt is over; reports why it failed.
Expected<Advance> Source::end(RollBack how) {
  if (how == RollBack::incomplete) {
    vm_.stay_paused();
  } else {
    obstacle_.reset();
  }
  if (attempt_->is_begun) life().blockers.set_busy(false);
  roll_back_ = how;
  phase_ = Phase::failed;
  Error reason = std::move(*attempt_->reason);
  if (obstacle_) reason.text += "; not everything could be taken back: " + obstacle_->message();
  attempt_ = std::make_unique<Attempt>();
  return std::unexpected(std::move(reason));
}

}  // namespace vcpr::handover
