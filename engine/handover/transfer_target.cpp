#include <utility>

#include "engine/handover/main_channel.hpp"
#include "engine/handover/socket.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/os/abi.hpp"
#include "engine/store/descriptor_kind.hpp"

namespace vcpr::handover {

namespace abi = os::abi;
using os::Errno;

std::string_view name(TargetPhase phase) {
  switch (phase) {
    case TargetPhase::listening:
      return "listening";
    case TargetPhase::receiving:
      return "receiving";
    case TargetPhase::loaded:
      return "loaded";
    case TargetPhase::done:
      return "done";
    case TargetPhase::failed:
      return "failed";
  }
  return "unknown";
}

namespace {

Expected<void> make_non_blocking(os::Kernel& kernel, int socket) {
  os::Result<int> flags = kernel.fcntl(socket, abi::f_getfl, 0);
  if (flags) flags = kernel.fcntl(socket, abi::f_setfl, *flags | abi::o_nonblock);
  if (!flags) return refuse_os(flags.error(), {"fcntl of the listening socket"});
  return {};
}

}  // namespace

TransferTarget::TransferTarget(os::Kernel& kernel, std::string path, Peer peer, Timeouts timeouts)
    : kernel_(kernel), peer_(peer), timeouts_(timeouts), receiver_(kernel, inbox_) {
  deadline_ = os::Deadline::after(kernel_.now(), timeouts_.connect);
  Expected<os::Fd> listener = listen_at(kernel_, path);
  if (listener) {
    socket_ = std::move(*listener);
    path_ = std::move(path);
  } else {
    refused_ = std::move(listener.error());
  }
}

TransferTarget::TransferTarget(os::Kernel& kernel, os::Fd socket, Given given, Peer peer, Timeouts timeouts)
    : kernel_(kernel), peer_(peer), timeouts_(timeouts), socket_(std::move(socket)), receiver_(kernel, inbox_) {
  if (given == Given::connected) {
    start_receiving(std::move(socket_));
    return;
  }
  deadline_ = os::Deadline::after(kernel_.now(), timeouts_.connect);
  if (Expected<void> made = make_non_blocking(kernel_, socket_.number()); !made) refused_ = std::move(made.error());
}

Expected<Advance> TransferTarget::advance() {
  if (refused_) {
    cancel();
    return std::unexpected(*std::exchange(refused_, std::nullopt));
  }
  while (phase_ != TargetPhase::loaded && phase_ != TargetPhase::done) {
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
Expected<std::optional<Advance>> TransferTarget::step() {
  switch (phase_) {
    case TargetPhase::listening:
      return accept();
    case TargetPhase::receiving:
      return receive();
    case TargetPhase::loaded:
    case TargetPhase::done:
    case TargetPhase::failed:
      break;
  }
  return refuse(ErrorCode::bad_state, {"the transfer has ended: ", name(phase_)});
}

Expected<std::optional<Advance>> TransferTarget::accept() {
  os::Result<int> accepted = kernel_.accept4(socket_.number(), abi::sock_nonblock | abi::sock_cloexec);
  if (accepted) {
    os::Fd connection(kernel_, *accepted);
    let_go();
    start_receiving(std::move(connection));
    return std::nullopt;
  }
  if (accepted.error() != Errno::eagain && accepted.error() != Errno::eintr) {
    return refuse_os(accepted.error(), {"accept on the CPR socket"});
  }
  return wait("no source has connected");
}

Expected<std::optional<Advance>> TransferTarget::receive() {
  Expected<wire::Progress> received = receiver_.advance(socket_.number());
  // Another protocol is named as such, whatever else went wrong.
  if (!header_checked_ && inbox_.bytes.size() >= kCprHeaderBytes) {
    if (Expected<void> header = check_cpr_header(inbox_.bytes); !header) {
      return std::unexpected(std::move(header.error()));
    }
    header_checked_ = true;
  }
  if (!received) return std::unexpected(std::move(received.error()));
  if (*received == wire::Progress::would_block) return wait("the stream does not end");
  if (Expected<void> loaded = load(); !loaded) return std::unexpected(std::move(loaded.error()));
  return std::nullopt;
}

Expected<void> TransferTarget::load() {
  Expected<CprState> state = load_cpr_state(kernel_, std::exchange(inbox_, {}), Encoding::transfer, peer_);
  if (!state) return std::unexpected(std::move(state.error()));
  if (Expected<void> verified = store::verify_kinds(kernel_, state->descriptors); !verified) return verified;
  state_ = std::move(*state);
  phase_ = TargetPhase::loaded;
  return {};
}

/// For the socket's next event; an error once the phase's deadline has passed.
Expected<std::optional<Advance>> TransferTarget::wait(std::string_view what) const {
  if (deadline_.passed(kernel_.now())) return refuse(ErrorCode::timed_out, {what});
  return Advance{.fd = socket_.number(), .events = abi::pollin, .until = deadline_};
}

void TransferTarget::start_receiving(os::Fd connection) {
  socket_ = std::move(connection);
  phase_ = TargetPhase::receiving;
  deadline_ = os::Deadline::after(kernel_.now(), timeouts_.transfer);
}

Expected<CprState> TransferTarget::take_state() {
  if (!state_) return refuse(ErrorCode::bad_state, {"there is no state to take: ", name(phase_)});
  CprState state = std::move(*state_);
  state_.reset();
  return state;
}

void TransferTarget::acknowledge(bool with_offer) {
  if (phase_ != TargetPhase::loaded) return;
  // Should it not fit or not arrive, the source sends a plain stream.
  if (with_offer) (void)send_byte(kernel_, socket_.number(), kOffer);
  socket_.reset();
  phase_ = TargetPhase::done;
}

void TransferTarget::cancel() {
  if (phase_ == TargetPhase::done) return;
  phase_ = TargetPhase::failed;
  let_go();
  inbox_ = {};
  state_.reset();
}

/// Closes the socket and removes its file.
void TransferTarget::let_go() {
  socket_.reset();
  if (!path_.empty()) (void)kernel_.unlink(std::exchange(path_, {}).c_str());
}

}  // namespace vcpr::handover
