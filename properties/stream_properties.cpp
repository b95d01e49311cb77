// Proves over random states that save, load, save gives the same stream (I38), and that damage to it is refused or
// harmless (I39) with nothing left open.
#include "engine/handover/cpr_state.hpp"
#include "engine/os/abi.hpp"
#include "properties/generators.hpp"
#include "properties/invariants/invariants.hpp"
#include "properties/machine/truth.hpp"
#include "properties/scenario/objects.hpp"
#include "properties/streams/damage.hpp"

namespace vcpr::properties {
namespace {

using handover::CprState;
using handover::Encoding;
using scenario::Scenario;

/// An old process with the state of a scenario, and a new one that may load what it saves.
struct Pair {
  machine::Machine machine;
  machine::Process& old_process = machine.spawn();
  machine::Process& new_process = machine.spawn();
  std::optional<CprState> state{std::in_place};

  explicit Pair(const Scenario& scenario) {
    for (const scenario::Entry& entry : scenario.entries) {
      std::string name = text(entry.name);
      if (entry.object == scenario::Object::same_as) {
        const scenario::Entry& existing = scenario.entries[entry.value];
        RC_ASSERT(state->descriptors.share({name, entry.id}, {text(existing.name), existing.id}).has_value());
        continue;
      }
      os::Fd fd(old_process.kernel(), old_process.install(describe(entry)));
      RC_ASSERT(state->descriptors.save({name, entry.id}, std::move(fd)).has_value());
    }
    for (const scenario::Device& device : scenario.devices) {
      std::string name = scenario::text({scenario::NameKind::device, device.index, 0});
      RC_ASSERT(state->devices.add(name, {device.devid, device.ioas_id, device.hwpt_id}).has_value());
    }
  }
  ~Pair() {
    state.reset();
    new_process.kill();
  }

  wire::Outbox save(const CprState& saved, Encoding encoding) {
    wire::Outbox out;
    RC_ASSERT(handover::save_cpr_state(saved, encoding, out).has_value());
    return out;
  }
  /// The bytes with a descriptor of new at each offset where one rode.
  Expected<CprState> load(std::span<const std::byte> bytes, std::span<const wire::RidingFd> riding, Encoding encoding) {
    wire::Inbox inbox;
    inbox.bytes.assign(bytes.begin(), bytes.end());
    for (const wire::RidingFd& fd : riding) {
      int number = new_process.install(describe(scenario::Entry{}));
      inbox.descriptors.push_back({fd.offset, os::Fd(new_process.kernel(), number)});
    }
    os::Kernel& kernel = encoding == Encoding::exec ? old_process.kernel() : new_process.kernel();
    return handover::load_cpr_state(kernel, std::move(inbox), encoding);
  }
};

void ask(const invariants::World& world) {
  if (auto verdict = invariants::check(world, invariants::Moment::end)) RC_FAIL(invariants::text(*verdict));
}

RC_GTEST_PROP(Stream, SavedLoadedAndSavedIsTheSame, ()) {
  Pair pair(*sound_scenario());
  wire::Outbox first = pair.save(*pair.state, Encoding::transfer);
  Expected<CprState> loaded = pair.load(first.bytes, first.descriptors, Encoding::transfer);
  if (!loaded) RC_FAIL(loaded.error().message());
  wire::Outbox second = pair.save(*loaded, Encoding::transfer);
  invariants::SavedTwice twice{Encoding::transfer, first.bytes, second.bytes};
  invariants::World world;
  world.saved_twice = &twice;
  ask(world);
  RC_ASSERT(first.bytes == second.bytes);  // a load keeps the order
}

RC_GTEST_PROP(Stream, DamagedIsRefusedOrHarmless, ()) {
  Pair pair(*sound_scenario());
  wire::Outbox saved = pair.save(*pair.state, Encoding::transfer);
  streams::FieldMap map(saved.bytes, streams::StreamKind::transfer);
  streams::Damage damage;
  damage.act = static_cast<streams::Act>(*rc::gen::inRange<int>(0, static_cast<int>(streams::kActs)));
  damage.where = *rc::gen::inRange<std::uint32_t>(0, static_cast<std::uint32_t>(saved.bytes.size()));
  damage.value = *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(0, 300), rc::gen::arbitrary<std::uint64_t>());
  if (damage.act == streams::Act::append) damage.value %= 4096;
  streams::Stream bytes = saved.bytes;
  streams::apply(bytes, map, damage);
  machine::Truth truth(pair.machine);
  {
    Expected<CprState> result = pair.load(bytes, saved.descriptors, Encoding::transfer);
    invariants::DamagedLoad load{Encoding::transfer, bytes, &result};
    invariants::World world;
    world.damaged = &load;
    ask(world);
    RC_CLASSIFY(result.has_value());
    std::size_t kept = result ? result->descriptors.size() : 0;
    RC_ASSERT(truth.descriptors_open(pair.new_process) == kept);
  }
  RC_ASSERT(truth.descriptors_open(pair.new_process) == 0u);
  RC_ASSERT(truth.bad_closes() == 0u);
}

RC_GTEST_PROP(Stream, RefusedInExecClosesNothingInherited, ()) {
  Scenario scenario = *sound_scenario();
  RC_PRE(!scenario.entries.empty());
  Pair pair(scenario);
  wire::Outbox saved = pair.save(*pair.state, Encoding::exec);
  machine::Truth truth(pair.machine);
  std::uint32_t open = truth.descriptors_open(pair.old_process);
  std::size_t cut = *rc::gen::inRange<std::size_t>(0, saved.bytes.size());
  Expected<CprState> result = pair.load(std::span(saved.bytes).first(cut), {}, Encoding::exec);
  RC_ASSERT(!result.has_value());
  RC_ASSERT(truth.descriptors_open(pair.old_process) == open);
}

}  // namespace
}  // namespace vcpr::properties
