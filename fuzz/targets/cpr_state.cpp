// Proves that a CPR state from a socket is either refused at a byte of it, with nothing left behind, or loaded in full.
#include <algorithm>
#include <cstdlib>

#include "fuzz/explain_calls.hpp"
#include "fuzz/refusal.hpp"
#include "fuzz/target.hpp"
#include "properties/invariants/invariants.hpp"
#include "properties/streams/delivery.hpp"

namespace {

using namespace vcpr;
using invariants::RecordedEntry;

void hold(const invariants::World& world) {
  if (auto violation = check(world, invariants::Moment::end)) report(*violation);
}

/// What the source puts on the wire, in the order that service bytes take it: nothing rides behind the last byte.
std::vector<RecordedEntry> record(machine::Process& source, std::span<const wire::RidingFd> rides, std::size_t size) {
  std::vector<RecordedEntry> sent;
  sent.reserve(rides.size());
  for (const auto& ride : rides) {
    if (ride.offset >= size) break;
    sent.push_back({{}, 0, invariants::look(source, ride.number).value_or(invariants::Descriptor{})});
  }
  return sent;
}

/// Each entry has the descriptor that rode on it, and what the state saves is what it was loaded from.
void check_loaded(invariants::World world, const handover::CprState& state, std::vector<RecordedEntry> sent) {
  auto entry = sent.begin();
  for (store::Entry loaded : state.descriptors) {
    if (entry == sent.end()) break;
    entry->name = loaded.key.name;
    (entry++)->id = loaded.key.id;
  }
  wire::Outbox again;
  if (!save_cpr_state(state, handover::Encoding::transfer, again)) std::abort();
  const invariants::SavedTwice twice{handover::Encoding::transfer, world.damaged ? world.damaged->stream : again.bytes,
                                     again.bytes};
  // Equal bytes need no reading: most runs end here.
  if (!std::ranges::equal(twice.first, twice.second)) world.saved_twice = &twice;
  world.recorded = sent;
  world.new_side.state = &state;
  world.loaded = true;
  hold(world);
}

std::uint64_t run(std::span<const std::uint8_t> bytes, const fuzz::Explain* explain) {
  const streams::TransferInput input = streams::decode_transfer(bytes);
  machine::Machine machine;
  const fuzz::ExplainCalls calls(machine, explain);
  if (explain) (*explain)(describe(input));
  streams::Delivery delivery(machine);
  const auto rides = delivery.prepare(input);
  auto sent = record(delivery.source(), rides, input.stream.size());
  Expected<handover::CprState> state = delivery.run(input, rides);
  if (explain) (*explain)(state ? "loaded" : "refused: " + state.error().message());

  invariants::World world;
  world.machine = &machine;
  world.new_side.process = &delivery.target();
  const invariants::DamagedLoad load{handover::Encoding::transfer, input.stream, &state, 0};
  // What other writers leave out is not a state of QEMU 10.1, which is what these compare with.
  if (input.peer == handover::Peer::current) world.damaged = &load;
  if (!state) fuzz::refusal_names_a_byte_of_the_stream(state.error(), input.stream.size());
  if (state) check_loaded(world, *state, std::move(sent));
  state = std::unexpected(Error{});
  world.damaged = nullptr;
  hold(world);
  return machine.hash();
}

std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t capacity, std::uint32_t seed) {
  return streams::mutate_input(streams::StreamKind::transfer, data, size, capacity, seed);
}

VCPR_FUZZ_TARGET(cpr_state, "a CPR state from a socket is refused at a byte, leaving nothing, or loaded in full", run,
                 mutate)

}  // namespace
