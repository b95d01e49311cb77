// Proves that a CPR state that arrives is either refused at a byte of it, with nothing left behind, or loaded in full.
//
// Most inputs ask nothing of a socket: their bytes and descriptors go to the loader as a receiver would have left them.
// The others (streams::needs_socket) are sent through one, from a process to another. Either way few questions tell
// that all is well; where one of them says otherwise, the invariants say what is wrong.
#include <algorithm>
#include <cstdlib>

#include "engine/store/descriptor_kind.hpp"
#include "fuzz/explain_calls.hpp"
#include "fuzz/refusal.hpp"
#include "fuzz/target.hpp"
#include "properties/invariants/invariants.hpp"
#include "properties/machine/truth.hpp"
#include "properties/streams/arrival.hpp"
#include "properties/streams/delivery.hpp"
#include "properties/streams/riders.hpp"

namespace {

using namespace vcpr;
using invariants::Descriptor;
using streams::TransferInput;

/// The target, and what came for it: its descriptors in the order that service bytes take them.
struct Run {
  const TransferInput& input;
  machine::Machine& machine;
  machine::Process* target = nullptr;
  std::vector<Descriptor> sent = {};
};

Expected<handover::CprState> load_arrived(Run& run) {
  run.target = &run.machine.spawn();
  os::Kernel& kernel = run.target->kernel();
  wire::Inbox inbox = arrive(run.input, *run.target);
  run.sent.reserve(inbox.descriptors.size());
  for (const wire::ArrivedFd& arrived : inbox.descriptors) {
    run.sent.push_back(invariants::look(*run.target, arrived.fd.number()).value_or(Descriptor{}));
  }
  auto state = load_cpr_state(kernel, std::move(inbox), handover::Encoding::transfer, run.input.peer);
  if (!state) return state;
  if (auto verified = verify_kinds(kernel, state->descriptors); !verified) {
    state = std::unexpected(std::move(verified.error()));
  }
  return state;
}

Expected<handover::CprState> load_delivered(Run& run) {
  streams::Delivery delivery(run.machine);
  run.target = &delivery.target();
  const auto rides = delivery.prepare(run.input);
  run.sent.reserve(rides.size());
  for (const wire::RidingFd& ride : rides) {
    if (ride.offset >= run.input.stream.size()) break;  // nothing rides behind the last byte
    run.sent.push_back(invariants::look(delivery.source(), ride.number).value_or(Descriptor{}));
  }
  return delivery.run(run.input, rides);
}

/// I1, I5, I6, I7 and I39 for the entries: each is the stream's, and has the descriptor that rode on it.
bool entries_are_as_sent(const Run& run, const store::DescriptorTable& table) {
  if (table.size() != run.sent.size()) return false;
  streams::Riders riders(run.input.stream, handover::Encoding::transfer);
  auto sent = run.sent.begin();
  for (store::Entry entry : table) {
    const auto rider = riders.next();
    if (!rider || entry.key.name != rider->name || entry.key.id != rider->id) return false;
    const auto now = invariants::look(*run.target, entry.number);
    if (!now || !now->close_on_exec || now->description != sent->description) return false;
    if (now->status_flags != sent->status_flags || now->offset != sent->offset) return false;
    ++sent;
  }
  return true;
}

/// I3, while `owned` descriptors of the target have an owner.
bool nothing_is_left_over(const Run& run, std::size_t owned) {
  const machine::Truth truth(run.machine);
  return truth.descriptors_open(*run.target) == owned && truth.bad_closes() == 0;
}

void hold(invariants::World world, const Run& run) {
  world.machine = &run.machine;
  world.new_side.process = run.target;
  if (auto violation = check(world, invariants::Moment::end)) report(*violation);
}

/// Each entry with the descriptor that rode on it.
std::vector<invariants::RecordedEntry> record(const Run& run, const store::DescriptorTable& table) {
  std::vector<invariants::RecordedEntry> recorded;
  for (const Descriptor& descriptor : run.sent) recorded.push_back({{}, 0, descriptor});
  auto next = recorded.begin();
  for (store::Entry entry : table) {
    if (next == recorded.end()) break;
    next->name = entry.key.name;
    (next++)->id = entry.key.id;
  }
  return recorded;
}

/// What the state saves is what it was loaded from.
void check_loaded(const Run& run, const Expected<handover::CprState>& state) {
  wire::Outbox again;
  if (!save_cpr_state(*state, handover::Encoding::transfer, again)) std::abort();
  // What other writers leave out is not a state of QEMU 10.1.
  const bool comparable = run.input.peer == handover::Peer::current;
  const bool same = !comparable || std::ranges::equal(run.input.stream, again.bytes);
  const bool owned = nothing_is_left_over(run, state->descriptors.size());
  if (same && owned && entries_are_as_sent(run, state->descriptors)) return;

  const auto recorded = record(run, state->descriptors);
  const invariants::SavedTwice twice{handover::Encoding::transfer, run.input.stream, again.bytes};
  const invariants::DamagedLoad load{handover::Encoding::transfer, run.input.stream, &state, 0};
  invariants::World world;
  world.recorded = recorded;
  world.new_side.state = &*state;
  world.loaded = true;
  if (comparable) {
    world.saved_twice = &twice;
    world.damaged = &load;
  }
  hold(world, run);
}

fuzz::Ran run(std::span<const std::uint8_t> bytes, const fuzz::Explain* explain) {
  const TransferInput input = streams::decode_transfer(bytes);
  machine::Machine machine;
  const fuzz::ExplainCalls calls(machine, explain);
  if (explain) (*explain)(describe(input));
  Run run{input, machine};
  {
    const Expected<handover::CprState> state = needs_socket(input) ? load_delivered(run) : load_arrived(run);
    if (explain) (*explain)(state ? "loaded" : "refused: " + state.error().message());
    if (!state) fuzz::refusal_names_a_byte_of_the_stream(state.error(), input.stream.size());
    if (state) check_loaded(run, state);
  }
  if (!nothing_is_left_over(run, 0)) hold({}, run);
  return machine.hash();
}

std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t capacity, fuzz::Draw draw) {
  return streams::mutate_input(streams::StreamKind::transfer, data, size, capacity, draw.seed);
}

VCPR_FUZZ_TARGET(cpr_state, "a CPR state that arrives is refused at a byte, leaving nothing, or loaded in full", run,
                 mutate)

}  // namespace
