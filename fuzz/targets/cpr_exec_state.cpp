// Proves that a new image refuses whatever an execve left it with nothing changed, or takes all of it over.
#include <algorithm>
#include <cstdlib>

#include "fuzz/explain_calls.hpp"
#include "fuzz/refusal.hpp"
#include "fuzz/target.hpp"
#include "properties/invariants/invariants.hpp"
#include "properties/streams/exec_input.hpp"

namespace {

using namespace vcpr;
using Descriptors = std::vector<invariants::Descriptor>;

void refused_load_changes_nothing(const Descriptors& before, const Descriptors& after) {
  auto same = [](const invariants::Descriptor& one, const invariants::Descriptor& other) {
    return one.number == other.number && one.description == other.description &&
           one.close_on_exec == other.close_on_exec;
  };
  if (!std::ranges::equal(before, after, same)) std::abort();
}

void loaded_state_leaves_no_memfd(machine::Process& process, int memfd) {
  if (invariants::look(process, memfd) || handover::exec_state_present(process.kernel())) std::abort();
}

fuzz::Ran run(std::span<const std::uint8_t> bytes, const fuzz::Explain* explain) {
  const streams::ExecInput input = streams::decode_exec(bytes);
  machine::Machine machine;
  fuzz::ExplainCalls calls(machine, explain);
  if (explain) (*explain)(describe(input));
  machine::Process& process = machine.spawn();
  const int memfd = furnish(process, input);
  const Descriptors before = invariants::open_descriptors(process);
  const bool variable = handover::exec_state_present(process.kernel());

  Expected<handover::CprState> state = handover::load_exec_state(process.kernel(), input.peer);
  if (explain) (*explain)(state ? "loaded" : "refused: " + state.error().message());
  if (!state) {
    fuzz::refusal_names_a_byte_of_the_stream(state.error(), input.stream.size());
    refused_load_changes_nothing(before, invariants::open_descriptors(process));
    if (variable != handover::exec_state_present(process.kernel())) std::abort();
    return machine.hash();
  }
  loaded_state_leaves_no_memfd(process, memfd);
  wire::Outbox again;
  if (!save_cpr_state(*state, handover::Encoding::exec, again)) std::abort();
  const invariants::SavedTwice twice{handover::Encoding::exec, input.stream, again.bytes};
  invariants::World world;
  world.machine = &machine;
  world.encoding = handover::Encoding::exec;
  world.new_side.process = &process;
  world.new_side.state = &*state;
  world.loaded = true;
  if (input.peer == handover::Peer::current) world.saved_twice = &twice;
  for (auto check : {invariants::keys_are_unique_and_descriptors_open, invariants::received_descriptors_close_on_exec,
                     invariants::saving_what_was_loaded_gives_the_same_stream}) {
    if (auto violation = check(world)) report(*violation);
  }
  return machine.hash();
}

std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t capacity, fuzz::Draw draw) {
  return streams::mutate_input(streams::StreamKind::exec, data, size, capacity, draw.seed);
}

VCPR_FUZZ_TARGET(cpr_exec_state, "an image refuses what execve left it and changes nothing, or takes all of it over",
                 run, mutate)

}  // namespace
