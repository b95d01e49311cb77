#include "properties/sweeps/tally.hpp"

#include "engine/handover/source.hpp"
#include "engine/handover/target.hpp"
#include "properties/forms/words.hpp"

namespace vcpr::sweeps {

namespace {

using vm_scenario::Action;
using vm_scenario::Seen;

std::string_view old_name(std::size_t phase) {
  return phase == Seen::kNoSource ? "none" : handover::name(static_cast<handover::Phase>(phase));
}
std::string_view new_name(std::size_t step) {
  return step == Seen::kNoTarget ? "none" : handover::name(static_cast<handover::TargetStep>(step));
}

}  // namespace

std::string_view Tally::phase_name(std::size_t phase) {
  return phase < kOldPhases ? old_name(phase) : new_name(phase - kOldPhases);
}

void Tally::add(const vm_scenario::Outcome& outcome) {
  ++scenarios_;
  handovers_ += outcome.endings.size();
  for (const Seen& seen : outcome.seen) {
    const auto action = static_cast<std::size_t>(seen.action);
    const auto ending = static_cast<std::size_t>(seen.ending);
    ++seen_[seen.source_phase][action][ending];
    ++seen_[kOldPhases + seen.target_step][action][ending];
  }
}

void Tally::add(const Tally& other) {
  scenarios_ += other.scenarios_;
  handovers_ += other.handovers_;
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    for (std::size_t action = 0; action < vm_scenario::kActions; ++action) {
      for (std::size_t ending = 0; ending < Endings().size(); ++ending)
        seen_[phase][action][ending] += other.seen_[phase][action][ending];
    }
  }
}

std::vector<Row> Tally::rows(std::span<const Action> actions) const {
  std::vector<Row> rows;
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    for (const Action action : actions) {
      rows.push_back({.side = phase < kOldPhases ? "old" : "new",
                      .phase = phase_name(phase),
                      .event = vm_scenario::rule(action).name,
                      .endings = seen_[phase][static_cast<std::size_t>(action)]});
    }
  }
  return rows;
}

std::string Tally::text() const {
  std::string out = "ran " + std::to_string(scenarios_) + ' ' + std::to_string(handovers_) + '\n';
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    for (std::size_t action = 0; action < vm_scenario::kActions; ++action) {
      const Endings& endings = seen_[phase][action];
      if (endings == Endings()) continue;
      forms::Line line(out);
      line.word("seen").number(static_cast<std::int64_t>(phase)).number(static_cast<std::int64_t>(action));
      for (const std::uint64_t count : endings) line.number(static_cast<std::int64_t>(count));
    }
  }
  return out;
}

bool Tally::read(std::string_view line) {
  constexpr std::int64_t kMost = std::int64_t{1} << 62;
  forms::Words words(line);
  Tally said;
  if (words.take("ran")) {
    words.number(said.scenarios_, 0, kMost);
    words.number(said.handovers_, 0, kMost);
  } else if (words.take("seen")) {
    std::size_t phase = 0;
    std::size_t action = 0;
    words.number(phase, 0, kPhases - 1);
    words.number(action, 0, vm_scenario::kActions - 1);
    for (std::uint64_t& count : said.seen_[phase][action]) words.number(count, 0, kMost);
  } else {
    return false;
  }
  if (words.failed() || !words.at_end()) return false;
  add(said);
  return true;
}

std::string place(const Seen& seen) {
  return std::string(old_name(seen.source_phase)) + ", " + std::string(new_name(seen.target_step));
}

}  // namespace vcpr::sweeps
