#include "properties/scenario/run.hpp"

#include "properties/machine/hash.hpp"
#include "properties/scenario/attempt.hpp"

namespace vcpr::scenario {

handover::Peer accepted_peer(const Scenario& scenario) {
  switch (scenario.accept) {
    case Accept::qemu_10_0:
      return handover::Peer::qemu_10_0;
    case Accept::stub:
      return handover::Peer::stub;
    default:
      return handover::Peer::current;
  }
}

namespace {

/// True while there is a process that can try, or be handed over, again.
bool run_attempt(Play& play, Events& events, std::uint8_t handover, Outcome& outcome) {
  std::string& ending = outcome.endings.emplace_back();
  Ending how = play.scenario.mode == Mode::exec ? attempt_exec(play, events, handover, ending)
                                                : attempt_transfer(play, events, handover, ending);
  if (how == Ending::taken_over) play.succeed();
  if (how == Ending::old_goes_on) play.drop_new();
  return how != Ending::lost && !play.broken();
}

std::uint64_t hash_of(const Play& play, const Outcome& outcome) {
  machine::Hasher hasher;
  hasher.word(play.machine.hash());
  for (const std::string& ending : outcome.endings) hasher.text(ending);
  return hasher.value();
}

}  // namespace

Outcome run(const Scenario& scenario, const Line* line) {
  Outcome outcome;
  Play play(scenario, line);
  Events events(play);
  play.set_up();
  for (std::uint8_t handover = 0; handover < scenario.handovers && !play.broken(); ++handover) {
    if (!run_attempt(play, events, handover, outcome)) break;
  }
  outcome.hash = hash_of(play, outcome);
  outcome.calls = play.machine.calls();
  outcome.violation = play.take_violation();
  return outcome;
}

}  // namespace vcpr::scenario
