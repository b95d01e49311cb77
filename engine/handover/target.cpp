#include "engine/handover/target.hpp"

#include <utility>

#include "engine/handover/exec.hpp"
#include "engine/handover/socket.hpp"
#include "engine/handover/target_load.hpp"
#include "engine/os/abi.hpp"
#include "engine/vmstate/main_stream.hpp"

namespace vcpr::handover {

namespace abi = os::abi;
using lifecycle::Incoming;
using lifecycle::Mode;
using lifecycle::RunState;

namespace {

std::unexpected<Error> refuse_aborted() {
  return refuse(ErrorCode::peer_closed, {"the old process has taken the VM back"});
}

}  // namespace

std::string_view name(TargetStep step) {
  constexpr std::string_view kNames[] = {"receiving_table",  "building", "listening",
                                         "receiving_state",  "checking", "taking_over",
                                         "waiting_for_word", "done",     "failed"};
  return kNames[static_cast<std::size_t>(step)];
}

Target::Target(os::Kernel& kernel, TargetOptions options)
    : kernel_(kernel), options_(std::move(options)), load_(std::make_unique<Load>(kernel)) {
  if (options_.mode != Mode::cpr_transfer) return;
  load_->table.emplace(kernel_, options_.cpr_socket, options_.peer, options_.timeouts);
}

Target::~Target() {
  cancel();
}

Expected<Advance> Target::advance() {
  while (step_ != TargetStep::done) {
    if (step_ == TargetStep::failed) return refuse(ErrorCode::bad_state, {"the load has failed before"});
    Expected<std::optional<Advance>> stepped = act();
    if (!stepped) return std::unexpected(step_ == TargetStep::done ? stepped.error() : fail(stepped.error()));
    if (*stepped) return **stepped;
  }
  return Advance{.done = true};
}

/// One step: what to wait for, or nothing when the next step has begun.
Expected<std::optional<Advance>> Target::act() {
  switch (step_) {
    case TargetStep::receiving_table:
      return receive_table();
    case TargetStep::building:
      return Advance{.done = true};
    case TargetStep::listening:
      return load_->path.empty() ? listen() : accept();
    case TargetStep::receiving_state:
      return receive();
    case TargetStep::checking:
      return check();
    case TargetStep::taking_over:
      return take_over();
    case TargetStep::waiting_for_word:
      return hear_word();
    case TargetStep::done:
    case TargetStep::failed:
      break;
  }
  return std::nullopt;
}

Expected<std::optional<Advance>> Target::receive_table() {
  if (options_.mode == Mode::cpr_transfer) {
    Expected<Advance> received = load_->table->advance();
    if (!received) return std::unexpected(std::move(received.error()));
    if (!received->done) return *received;
    load_->arrival = {.incoming = Incoming::transfer, .state = std::move(*load_->table->take_state())};
  } else if (options_.mode == Mode::cpr_exec) {
    Expected<CprState> state = load_exec_state(kernel_, options_.peer);
    if (!state) return std::unexpected(std::move(state.error()));
    load_->arrival = {.incoming = Incoming::exec, .state = std::move(*state)};
  }
  step_ = TargetStep::building;
  return std::nullopt;
}

Expected<std::optional<vm::Arrival>> Target::take_arrival() {
  if (step_ != TargetStep::building || (options_.mode != Mode::cpr_reboot && !load_->arrival)) {
    return refuse(ErrorCode::bad_state, {"there is no CPR state to take: ", name(step_)});
  }
  return std::exchange(load_->arrival, std::nullopt);
}

Expected<void> Target::attach(vm::VirtualMachine& vm) {
  if (step_ != TargetStep::building || load_->arrival) {
    return refuse(ErrorCode::bad_state, {"this target takes no VM now: ", name(step_)});
  }
  RunState wanted = options_.mode == Mode::cpr_reboot ? RunState::prelaunch : RunState::inmigrate;
  if (vm.life().run_state != wanted) {
    return refuse(ErrorCode::bad_state, {"the VM is ", name(vm.life().run_state), ", not ", name(wanted)});
  }
  load_->vm = &vm;
  step_ = options_.mode == Mode::cpr_transfer ? TargetStep::listening : TargetStep::receiving_state;
  return {};
}

/// The main channel is there before the old process hears that it may use it.
Expected<std::optional<Advance>> Target::listen() {
  Expected<os::Fd> listener = listen_at(kernel_, options_.main_socket);
  if (!listener) return std::unexpected(std::move(listener.error()));
  load_->socket = std::move(*listener);
  load_->path = options_.main_socket;
  load_->table->acknowledge(true);
  load_->deadline = os::Deadline::after(kernel_.now(), options_.timeouts.connect);
  return std::nullopt;
}

Expected<std::optional<Advance>> Target::accept() {
  os::Result<int> accepted = kernel_.accept4(load_->socket.number(), abi::sock_nonblock | abi::sock_cloexec);
  if (!accepted) {
    if (accepted.error() == os::Errno::eagain || accepted.error() == os::Errno::eintr) {
      return wait("the old process does not connect to the main channel");
    }
    return refuse_os(accepted.error(), {"accept on the main channel"});
  }
  load_->socket = os::Fd(kernel_, *accepted);
  (void)kernel_.unlink(std::exchange(load_->path, {}).c_str());
  load_->deadline = os::Deadline::after(kernel_.now(), options_.timeouts.transfer);
  step_ = TargetStep::receiving_state;
  return std::nullopt;
}

Expected<std::optional<Advance>> Target::receive() {
  if (options_.mode != Mode::cpr_transfer) {
    Expected<std::vector<std::byte>> file = wire::read_memfd(kernel_, options_.main_file);
    if (!file) return std::unexpected(std::move(file.error()));
    load_->in.bytes = std::move(*file);
  } else {
    Expected<bool> whole = receive_whole();
    if (!whole) return std::unexpected(std::move(whole.error()));
    if (!*whole) return wait("the main stream does not end");
  }
  step_ = TargetStep::checking;
  return std::nullopt;
}

/// True when the frame is full, or a plain stream has ended.
Expected<bool> Target::receive_whole() {
  Expected<wire::Progress> received = load_->receiver.advance(load_->socket.number());
  if (!received) return std::unexpected(std::move(received.error()));
  if (!load_->in.descriptors.empty()) {
    return refuse(ErrorCode::extra_descriptor, {"a descriptor came on the main channel"});
  }
  std::vector<std::byte>& bytes = load_->in.bytes;
  bool ended = *received == wire::Progress::done;
  Expected<std::optional<Opening>> opening = read_opening(bytes);
  if (!opening) return std::unexpected(std::move(opening.error()));
  if (*opening) load_->opening = **opening;
  if (!load_->opening.is_framed) return ended;
  std::size_t whole = kFrameBytes + load_->opening.bytes;
  if (bytes.size() < whole) {
    if (!ended) return false;
    return refuse_at(ErrorCode::truncated, bytes.size(), {"the old process hung up in the middle of the main stream"});
  }
  load_->word.assign(bytes.begin() + static_cast<std::ptrdiff_t>(whole), bytes.end());
  bytes.resize(whole);
  return true;
}

/// Everything that can be wrong is found here, without effect on any kernel object.
Expected<std::optional<Advance>> Target::check() {
  vm::VirtualMachine& vm = *load_->vm;
  if (auto word = read_word(load_->word); word && *word == Word::abort) return refuse_aborted();
  wire::Reader in(load_->stream());
  Expected<vmstate::SectionTable*> sections = vm.sections(options_.mode);
  if (!sections) return std::unexpected(std::move(sections.error()));
  auto facts = vmstate::load_main_stream(vm.configuration(), **sections, in);
  if (!facts) return std::unexpected(std::move(facts.error()));
  Expected<void> fits = vm.check_arrived();
  if (fits) fits = vm.life().participants.check_loaded(options_.mode);
  if (!fits) return std::unexpected(std::move(fits.error()));
  step_ = TargetStep::taking_over;
  return std::nullopt;
}

Expected<std::optional<Advance>> Target::take_over() {
  if (!load_->took_over) {
    load_->took_over = true;
    Expected<void> taken = load_->vm->life().participants.take_over(options_.mode);
    if (!taken) return std::unexpected(std::move(taken.error()));
  }
  if (!load_->opening.is_framed) return arrive();
  std::vector<std::byte> answer = encode(Answer::loaded, {});
  os::Result<std::size_t> sent =
      kernel_.sendmsg(load_->socket.number(), answer, {}, abi::msg_nosignal | abi::msg_dontwait);
  bool is_heard = sent && *sent == answer.size();
  bool is_gone = !sent && (sent.error() == os::Errno::epipe || sent.error() == os::Errno::econnreset);
  if (!is_heard && !is_gone) {
    return refuse_os(sent ? os::Errno::eagain : sent.error(), {"sendmsg of the answer"});
  }
  load_->answered = true;
  load_->deadline = os::Deadline::after(kernel_.now(), options_.timeouts.hang_up);
  step_ = TargetStep::waiting_for_word;
  return std::nullopt;
}

Expected<std::optional<Advance>> Target::hear_word() {
  Expected<Arrived> arrived = receive_some(kernel_, load_->socket.number(), load_->word, 2);
  if (!arrived) return std::unexpected(std::move(arrived.error()));
  Expected<std::optional<Word>> word = read_word(load_->word);
  if (!word) return std::unexpected(std::move(word.error()));
  if (*word == Word::abort) return refuse_aborted();
  // Gone without a word: the old process is dead.
  if (*word == Word::go || *arrived == Arrived::end) return arrive();
  if (load_->deadline.passed(kernel_.now())) return stop_waiting();
  return Advance{.fd = load_->socket.number(), .events = abi::pollin, .until = load_->deadline};
}

/// From here on no word can be sent to this side; the last one that was counts.
Expected<std::optional<Advance>> Target::stop_waiting() {
  if (os::Result<void> deaf = kernel_.shutdown(load_->socket.number(), abi::shut_rd); !deaf) {
    return refuse_os(deaf.error(), {"shutdown of the main channel"});
  }
  Expected<Arrived> arrived = receive_some(kernel_, load_->socket.number(), load_->word, 2);
  Expected<std::optional<Word>> word = read_word(load_->word);
  if (arrived && word && *word == Word::go) return arrive();
  return refuse(ErrorCode::timed_out, {"the old process does not say its last word"});
}

/// The VM is here.
Expected<std::optional<Advance>> Target::arrive() {
  vm::VirtualMachine& vm = *load_->vm;
  step_ = TargetStep::done;
  load_ = std::make_unique<Load>(kernel_);
  if (Expected<void> runs = vm.arrive(); !runs) return std::unexpected(std::move(runs.error()));
  return std::nullopt;
}

/// What was taken over is let go again, then the old process hears why.
Error Target::fail(Error error) {
  if (load_->took_over) load_->vm->life().participants.give_up();
  if (load_->opening.is_framed && !load_->answered && load_->socket) {
    std::vector<std::byte> answer = encode(Answer::refused, error.message());
    (void)kernel_.sendmsg(load_->socket.number(), answer, {}, abi::msg_nosignal | abi::msg_dontwait);
  }
  if (!load_->path.empty()) (void)kernel_.unlink(load_->path.c_str());
  load_ = std::make_unique<Load>(kernel_);
  step_ = TargetStep::failed;
  return error;
}

void Target::cancel() {
  if (step_ == TargetStep::done || step_ == TargetStep::failed) return;
  if (step_ == TargetStep::waiting_for_word) {
    Expected<std::optional<Advance>> heard = stop_waiting();
    if (step_ == TargetStep::done) return;
    (void)fail(std::move(heard.error()));
    return;
  }
  (void)fail(refuse(ErrorCode::bad_state, {"the load was cancelled while it was ", name(step_)}).error());
}

/// For the socket's next event; an error once the step's deadline has passed.
Expected<std::optional<Advance>> Target::wait(std::string_view what) const {
  if (load_->deadline.passed(kernel_.now())) return refuse(ErrorCode::timed_out, {what});
  return Advance{.fd = load_->socket.number(), .events = abi::pollin, .until = load_->deadline};
}

}  // namespace vcpr::handover
