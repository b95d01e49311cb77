#include "engine/handover/source.hpp"

#include <algorithm>
#include <utility>

#include "engine/handover/socket.hpp"
#include "engine/handover/source_attempt.hpp"
#include "engine/os/abi.hpp"
#include "engine/vmstate/main_stream.hpp"

namespace vcpr::handover {

namespace abi = os::abi;
using lifecycle::Mode;
using os::Errno;

namespace {

/// A main stream of a small VM: each device brings 4 KiB of config space.
constexpr std::size_t kTypicalStreamBytes = 16u << 10;

}  // namespace

std::string_view name(Phase phase) {
  constexpr std::string_view kNames[] = {
      "checking",      "sending_table",      "waiting_for_target", "connecting",   "stopping", "saving",
      "sending_state", "waiting_for_answer", "executing",          "rolling_back", "done",     "failed"};
  return kNames[static_cast<std::size_t>(phase)];
}

Source::Source(vm::VirtualMachine& vm, SourceOptions options)
    : vm_(vm), options_(std::move(options)), attempt_(std::make_unique<Attempt>()) {}

Expected<Advance> Source::advance() {
  while (phase_ != Phase::done) {
    if (phase_ == Phase::failed) return refuse(ErrorCode::bad_state, {"the attempt has failed before"});
    if (phase_ == Phase::rolling_back) return take_back();
    Expected<std::optional<Advance>> stepped = step();
    if (!stepped) {
      fail(std::move(stepped.error()));
    } else if (*stepped) {
      return **stepped;
    }
  }
  return Advance{.done = true};
}

/// One phase: what to wait for, or nothing when the next phase has begun.
Expected<std::optional<Advance>> Source::step() {
  switch (phase_) {
    case Phase::checking:
      return check();
    case Phase::sending_table:
    case Phase::waiting_for_target:
      return send_table();
    case Phase::connecting:
      return connect();
    case Phase::stopping:
      return stop();
    case Phase::saving:
      return save();
    case Phase::sending_state:
      return send_state();
    case Phase::waiting_for_answer:
      return hear_answer();
    case Phase::executing:
      return std::unexpected(execute());
    case Phase::rolling_back:
    case Phase::done:
    case Phase::failed:
      break;
  }
  return std::nullopt;
}

Expected<void> Source::check_options() const {
  if (options_.mode == Mode::normal) return refuse(ErrorCode::bad_value, {"mode normal is no handover"});
  bool by_socket = options_.mode == Mode::cpr_transfer;
  if (by_socket && (options_.cpr_socket.empty() || options_.main_socket.empty())) {
    return refuse(ErrorCode::bad_value, {"cpr-transfer needs the paths of a CPR and of a main socket"});
  }
  if (!by_socket && options_.main_file < 0) {
    return refuse(ErrorCode::bad_value, {lifecycle::name(options_.mode), " needs a file for the main stream"});
  }
  if (options_.mode == Mode::cpr_exec && options_.exec_path.empty()) {
    return refuse(ErrorCode::bad_value, {"cpr-exec needs a program"});
  }
  return {};
}

Expected<std::optional<Advance>> Source::check() {
  Expected<void> may = check_options();
  if (may) may = life().check_ours("handover");
  if (may && life().blockers.is_busy()) may = refuse(ErrorCode::bad_state, {"another handover is under way"});
  if (may) may = life().blockers.check(options_.mode);
  if (!may) return std::unexpected(std::move(may.error()));
  life().blockers.set_busy(true);
  attempt_->is_begun = true;
  if (options_.mode != Mode::cpr_transfer) {
    phase_ = Phase::stopping;
    return std::nullopt;
  }
  if (options_.stop_first) {
    if (Expected<void> stopped = vm_.stop(); !stopped) return std::unexpected(std::move(stopped.error()));
  }
  attempt_->table.emplace(kernel(), options_.cpr_socket, life().cpr, options_.timeouts);
  attempt_->generation = attempt_->table->generation();
  phase_ = Phase::sending_table;
  return std::nullopt;
}

Expected<std::optional<Advance>> Source::send_table() {
  Expected<Advance> sent = attempt_->table->advance();
  if (!sent) return std::unexpected(std::move(sent.error()));
  if (attempt_->table->phase() == SourcePhase::waiting_for_hang_up) phase_ = Phase::waiting_for_target;
  if (!sent->done) return *sent;
  attempt_->asks = options_.want_answer && attempt_->table->is_offered_an_answer();
  attempt_->deadline = os::Deadline::after(kernel().now(), options_.timeouts.connect);
  phase_ = Phase::connecting;
  return std::nullopt;
}

/// The target listens before it hangs up: nobody there means that it has died.
Expected<std::optional<Advance>> Source::connect() {
  os::Fd& socket = attempt_->socket;
  const std::string& path = options_.main_socket;
  if (!socket) {
    Expected<os::Fd> made = make_socket(kernel(), path);
    if (!made) return std::unexpected(std::move(made.error()));
    socket = std::move(*made);
  }
  os::Result<void> connected = kernel().connect(socket.number(), path);
  if (connected) {
    phase_ = Phase::stopping;
    return std::nullopt;
  }
  Errno error = connected.error();
  if (error != Errno::eintr && error != Errno::eagain) return refuse_os(error, {"connect to ", quoted(path)});
  std::uint64_t now = kernel().now();
  if (attempt_->deadline.passed(now)) return refuse(ErrorCode::timed_out, {"nobody accepts at ", quoted(path)});
  return Advance{.until = std::min(attempt_->deadline, os::Deadline::after(now, kConnectRetry))};
}

Expected<std::optional<Advance>> Source::stop() {
  // The rule of a reboot is about the guest that is still there: it must have put itself to sleep.
  Expected<void> ready =
      options_.mode == Mode::cpr_reboot ? life().participants.let_go(options_.mode) : Expected<void>{};
  if (ready) ready = vm_.stop();
  if (ready && options_.mode == Mode::cpr_transfer) ready = check_table();
  if (ready && options_.mode == Mode::cpr_exec) ready = attempt_->image.emplace(kernel(), life().cpr).persist();
  if (!ready) return std::unexpected(std::move(ready.error()));
  phase_ = Phase::saving;
  return std::nullopt;
}

/// What the target was sent while the guest ran must be what there is (windows W1, W2, W3; invariant I8).
Expected<void> Source::check_table() {
  std::uint64_t now = life().cpr.descriptors.generation();
  if (now == attempt_->generation) return {};
  return refuse(ErrorCode::bad_state,
                {"the table has changed while the guest ran: sent as generation ", Decimal(attempt_->generation),
                 ", stopped at ", Decimal(now), "; a new attempt sends it anew"});
}

Expected<std::optional<Advance>> Source::save() {
  Expected<void> ready;
  if (options_.mode != Mode::cpr_reboot) ready = life().participants.let_go(options_.mode);
  if (ready) ready = save_stream();
  if (ready && options_.mode != Mode::cpr_transfer) ready = write_file();
  if (!ready) return std::unexpected(std::move(ready.error()));
  if (options_.mode == Mode::cpr_transfer) {
    attempt_->sender.emplace(kernel(), attempt_->out);
    attempt_->deadline = os::Deadline::after(kernel().now(), options_.timeouts.transfer);
    phase_ = Phase::sending_state;
  } else if (options_.mode == Mode::cpr_exec) {
    phase_ = Phase::executing;
  } else {
    give_away();
  }
  return std::nullopt;
}

/// A target that answers knows the sections' layout: only a stranger is told.
Expected<void> Source::save_stream() {
  attempt_->out.bytes.reserve(kTypicalStreamBytes);
  wire::Writer writer(attempt_->out);
  if (attempt_->asks) open_frame(writer);
  vmstate::MainSaveOptions options;
  options.describe = !attempt_->asks;
  Expected<vmstate::SectionTable*> sections = vm_.sections(options_.mode);
  if (!sections) return std::unexpected(std::move(sections.error()));
  Expected<void> saved = vmstate::save_main_stream(vm_.configuration(), **sections, options, writer);
  if (saved && attempt_->asks) close_frame(attempt_->out.bytes);
  return saved;
}

Expected<void> Source::write_file() {
  int file = options_.main_file;
  if (auto rewound = kernel().lseek(file, 0, abi::seek_set); !rewound) {
    return refuse_os(rewound.error(), {"lseek to the start of the main stream's file"});
  }
  if (auto cut = kernel().ftruncate(file, 0); !cut) {
    return refuse_os(cut.error(), {"ftruncate of the main stream's file"});
  }
  return wire::write_memfd(kernel(), file, attempt_->out.bytes);
}

Expected<std::optional<Advance>> Source::send_state() {
  int socket = attempt_->socket.number();
  Expected<wire::Progress> sent = attempt_->sender->advance(socket);
  if (!sent) return std::unexpected(refusal_heard().value_or(std::move(sent.error())));
  if (*sent == wire::Progress::would_block) {
    if (!attempt_->deadline.passed(kernel().now())) {
      return Advance{.fd = socket, .events = abi::pollout, .until = attempt_->deadline};
    }
    return refuse(ErrorCode::timed_out, {"the target does not read the main stream"});
  }
  attempt_->all_sent = true;
  attempt_->deadline = os::Deadline::after(kernel().now(), options_.timeouts.hang_up);
  phase_ = Phase::waiting_for_answer;
  if (attempt_->asks) return std::nullopt;
  // A plain stream is all there is: from here on the target may run the guest.
  (void)kernel().shutdown(socket, abi::shut_wr);
  give_away();
  return std::nullopt;
}

Expected<std::optional<Advance>> Source::hear_answer() {
  int socket = attempt_->socket.number();
  Expected<Arrived> arrived = receive_some(kernel(), socket, attempt_->answer, kAnswerHeadBytes + kMaxAnswerText + 1);
  if (!arrived) return std::unexpected(std::move(arrived.error()));
  Expected<std::optional<Reply>> reply = read_reply(attempt_->answer);
  if (!reply) return std::unexpected(std::move(reply.error()));
  if (!*reply) {
    if (*arrived == Arrived::end) return refuse(ErrorCode::peer_closed, {"the target hung up without an answer"});
    if (!attempt_->deadline.passed(kernel().now())) {
      return Advance{.fd = socket, .events = abi::pollin, .until = attempt_->deadline};
    }
    return refuse(ErrorCode::timed_out, {"the target does not answer"});
  }
  if ((*reply)->answer == Answer::refused) {
    return refuse(ErrorCode::peer_closed, {"the target refused the VM: ", (*reply)->text});
  }
  Expected<bool> said = send_byte(kernel(), socket, static_cast<std::byte>(Word::go));
  if (!said) return std::unexpected(std::move(said.error()));
  if (!*said) return Advance{.fd = socket, .events = abi::pollout, .until = attempt_->deadline};
  attempt_->said_last_word = true;
  give_away();
  return std::nullopt;
}

/// A target that hung up in the middle of the stream may have said why.
std::optional<Error> Source::refusal_heard() {
  if (!attempt_->asks) return std::nullopt;
  (void)receive_some(kernel(), attempt_->socket.number(), attempt_->answer, kAnswerHeadBytes + kMaxAnswerText + 1);
  Expected<std::optional<Reply>> reply = read_reply(attempt_->answer);
  if (!reply || !*reply) return std::nullopt;
  return refuse(ErrorCode::peer_closed, {"the target refused the VM: ", (*reply)->text}).error();
}

/// Comes back only when it has failed. KVM is still open: close-on-exec ends it with this image.
Error Source::execute() {
  std::vector<const char*> arguments;
  for (const std::string& each : options_.exec_arguments) arguments.push_back(each.c_str());
  return attempt_->image->exec(options_.exec_path.c_str(), arguments);
}

void Source::give_away() {
  vm_.give_away();
  life().participants.done();
  life().blockers.set_busy(false);
  attempt_ = std::make_unique<Attempt>();
  phase_ = Phase::done;
}

}  // namespace vcpr::handover
