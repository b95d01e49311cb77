#include "properties/bad_input/new_process.hpp"

#include <algorithm>

#include "engine/handover/exec.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/os/abi.hpp"
#include "engine/store/descriptor_kind.hpp"
#include "properties/bad_input/allocations.hpp"
#include "properties/invariants/invariants.hpp"
#include "properties/machine/truth.hpp"
#include "properties/streams/stream_sender.hpp"

namespace vcpr::bad_input {

namespace {

using handover::CprState;
using handover::Encoding;

std::string title(const Case& bad) {
  return bad.capture.name + ", " + bad.what;
}

void count(const Case& bad, Judgement judgement) {
  if (judgement.verdict == Verdict::equal && !bad.when_accepted.empty()) {
    judgement = {Verdict::undetectable, bad.when_accepted};
  }
  count(bad.capture.kind, judgement, title(bad));
}

/// Installs what is to be sent; a repeated one under the number it has already.
std::vector<int> install(machine::Process& process, const std::vector<Sent>& sent) {
  std::vector<int> numbers;
  for (const Sent& one : sent) numbers.push_back(one.same_as ? numbers[*one.same_as] : process.install(one.what));
  return numbers;
}

/// The undamaged state, with the descriptions that belong into its seats: the first descriptors, in order.
Original original_of(const Capture& capture, const machine::Process& process, const std::vector<int>& numbers) {
  Original original;
  original.state = *invariants::read_plainly(capture.bytes, capture.encoding());
  std::vector<Seat> all = seats(capture.bytes, capture.encoding());
  for (std::size_t i = 0; i < all.size() && i < numbers.size(); ++i) {
    streams::Field id{static_cast<std::uint32_t>(all[i].offset - 4), 4, {}, 0};  // it stands before the seat
    auto value = static_cast<std::int32_t>(streams::value_of(capture.bytes, id));
    auto open = invariants::look(process, numbers[i]);
    original.descriptions[{all[i].name, value}] = open ? open->description : 0;
  }
  return original;
}

void check_memory(const Case& bad, std::size_t peak) {
  std::size_t allowed = invariants::kLoadBytesAtLeast + invariants::kLoadBytesPerStreamByte * bad.bytes.size();
  if (peak > allowed) fail(title(bad), "took " + std::to_string(peak) + " bytes");
}

void check_nothing_left(const Case& bad, const machine::Machine& machine, machine::Process& process) {
  machine::Truth truth(machine);
  if (std::uint32_t open = truth.descriptors_open(process))
    fail(title(bad), std::to_string(open) + " descriptors leaked");
  if (std::uint64_t closes = truth.bad_closes()) fail(title(bad), std::to_string(closes) + " closed twice");
}

/// What a target does once the stream is whole.
Expected<CprState> load(os::Kernel& kernel, wire::Inbox inbox) {
  Expected<CprState> state = handover::load_cpr_state(kernel, std::move(inbox), Encoding::transfer);
  if (!state) return state;
  if (Expected<void> kinds = store::verify_kinds(kernel, state->descriptors); !kinds) {
    return std::unexpected(kinds.error());
  }
  return state;
}

}  // namespace

std::vector<Sent> right_descriptors(const std::vector<Seat>& seats) {
  std::vector<Sent> sent;
  for (const Seat& seat : seats) sent.push_back({seat.offset, streams::stand_in_for(seat.name), {}});
  return sent;
}

void replace_by(Case& bad, std::size_t at, store::DescriptorKind kind) {
  machine::Described odd = streams::stand_in(kind);
  odd.number = bad.sent[at].what.number;
  bool differs = odd.kind != bad.sent[at].what.kind || odd.link != bad.sent[at].what.link;
  if (differs) bad.when_accepted = "a kind that the name leaves open (its owner must look)";
  bad.sent[at].what = odd;
}

void play_loader(const Case& bad) {
  machine::Machine machine;
  machine::Process& process = machine.spawn();
  process.set_descriptor_limit(1u << 16);
  std::vector<int> numbers = install(process, bad.sent);
  Original original = original_of(bad.capture, process, numbers);
  wire::Inbox inbox;
  inbox.bytes = bad.bytes;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::uint64_t first_byte = std::min<std::uint64_t>(bad.sent[i].offset, bad.bytes.size());
    inbox.descriptors.push_back({first_byte, os::Fd(process.kernel(), numbers[i])});
  }
  {
    Allocations allocations;
    Expected<CprState> state = load(process.kernel(), std::move(inbox));
    check_memory(bad, allocations.peak());
    count(bad, judge(original, bad.bytes, Encoding::transfer, process, state));
  }
  check_nothing_left(bad, machine, process);
}

namespace {

/// Source and target of one machine with a connection between them.
struct Connection {
  machine::Machine machine;
  machine::Process& source = machine.spawn();
  machine::Process* target = nullptr;
  int source_socket = -1;
  int target_socket = -1;

  Connection() {
    constexpr int kType = os::abi::sock_stream | os::abi::sock_nonblock | os::abi::sock_cloexec;
    std::tie(source_socket, target_socket) = *source.kernel().socketpair(os::abi::af_unix, kType, 0);
    target = &machine.fork(source);
    (void)source.kernel().close(target_socket);
    (void)target->kernel().close(source_socket);
  }
};

/// Lets the target work until it ends; a wait must end exactly when patience does.
Expected<CprState> receive(const Case& bad, Connection& connection, streams::StreamSender& sender) {
  os::Kernel& kernel = connection.target->kernel();
  handover::Timeouts timeouts{kPatience, kPatience, kPatience};
  handover::TransferTarget target(kernel, os::Fd(kernel, connection.target_socket),
                                  handover::TransferTarget::Given::connected, handover::Peer::current, timeouts);
  bool sending = true;
  for (int rounds = 0; rounds < 100'000; ++rounds) {
    if (sending && sender.step() == streams::Sent::all) {
      sending = false;
      if (bad.end == End::half_close)
        (void)connection.source.kernel().shutdown(connection.source_socket, os::abi::shut_wr);
    }
    Expected<handover::Advance> advance = target.advance();
    if (!advance) return std::unexpected(advance.error());
    if (advance->done) return target.take_state();
    if (sending || bad.end == End::half_close) continue;
    if (advance->until == os::Deadline::never()) break;
    connection.machine.advance_time(advance->until.nanoseconds - connection.machine.now());
  }
  return refuse(ErrorCode::timed_out, {"the target never ends"});
}

}  // namespace

void play_socket(const Case& bad) {
  Connection connection;
  std::vector<int> numbers = install(connection.source, bad.sent);
  Original original = original_of(bad.capture, connection.source, numbers);
  std::vector<wire::RidingFd> rides;
  for (std::size_t i = 0; i < numbers.size(); ++i) rides.push_back({bad.sent[i].offset, numbers[i]});
  streams::StreamSender sender(connection.source.kernel(), connection.source_socket, bad.bytes, rides, 0);
  {
    Expected<CprState> state = receive(bad, connection, sender);
    Judgement judgement = judge(original, bad.bytes, Encoding::transfer, *connection.target, state);
    bool late = judgement.verdict == Verdict::timed_out && connection.machine.now() != kPatience.nanoseconds;
    if (late) fail(title(bad), "ended " + std::to_string(connection.machine.now()) + " ns after it began");
    bool waited = judgement.verdict == Verdict::timed_out && bad.end == End::half_close;
    if (waited) fail(title(bad), "waited although the stream had ended");
    count(bad, judgement);
  }
  connection.source.kill();
  check_nothing_left(bad, connection.machine, *connection.target);
  if (machine::Truth(connection.machine).descriptors_in_flight() != 0) fail(title(bad), "descriptors in flight");
}

namespace {

/// The new image: the table's descriptors under their numbers, the memfd, the variable.
int inherit(machine::Process& process, const Case& bad) {
  process.set_descriptor_limit(4096);
  for (const Sent& one : bad.sent) (void)process.install(one.what);
  os::Kernel& kernel = process.kernel();
  int memfd = kernel.memfd_create(handover::kExecStateName, 0).value_or(-1);
  (void)kernel.write(memfd, bad.bytes);
  std::string value = bad.environment.value_or(std::to_string(memfd));
  if (value != "-") (void)kernel.setenv(handover::kExecStateName, value.c_str());
  return memfd;
}

void check_unchanged(const Case& bad, const machine::Process& process,
                     const std::vector<invariants::Descriptor>& before) {
  std::vector<invariants::Descriptor> after = invariants::open_descriptors(process);
  auto same = [](const invariants::Descriptor& one, const invariants::Descriptor& other) {
    return one.number == other.number && one.description == other.description &&
           one.close_on_exec == other.close_on_exec;
  };
  if (!std::ranges::equal(before, after, same)) fail(title(bad), "a refused load changed inherited descriptors");
}

}  // namespace

void play_exec(const Case& bad) {
  machine::Machine machine;
  machine::Process& process = machine.spawn();
  int memfd = inherit(process, bad);
  std::vector<int> numbers;
  for (const Seat& seat : seats(bad.capture.bytes, Encoding::exec)) numbers.push_back(seat.number);
  Original original = original_of(bad.capture, process, numbers);
  std::vector<invariants::Descriptor> before = invariants::open_descriptors(process);
  {
    Allocations allocations;
    Expected<CprState> state = handover::load_exec_state(process.kernel());
    check_memory(bad, allocations.peak());
    if (!state) check_unchanged(bad, process, before);
    if (state && invariants::look(process, memfd)) fail(title(bad), "the memfd stays open");
    count(bad, judge(original, bad.bytes, Encoding::exec, process, state));
  }
  if (machine::Truth(machine).bad_closes() != 0) fail(title(bad), "closed twice");
}

}  // namespace vcpr::bad_input
