#include "properties/vm_scenario/run.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/vfio/interrupts.hpp"
#include "properties/machine/hash.hpp"
#include "properties/machine/truth.hpp"
#include "properties/vm_scenario/acting.hpp"
#include "properties/vm_scenario/seen.hpp"

namespace vcpr::vm_scenario {

namespace {

using whole_vm::Owner;
using whole_vm::Played;
using whole_vm::Rig;
using whole_vm::Trial;

lifecycle::Mode mode_of(Action action) {
  if (action == Action::transfer) return lifecycle::Mode::cpr_transfer;
  return action == Action::exec ? lifecycle::Mode::cpr_exec : lifecycle::Mode::cpr_reboot;
}

/// Plays one scenario from its boot to the first violation, or to its end.
class Player final : private machine::Listener {
 public:
  Player(const Scenario& scenario, const Explain* explain)
      : scenario_(scenario), explain_(explain), rig_(shape(scenario)) {}
  Outcome play();

 private:
  void called(const machine::CallRecord& record) override;
  void tell(std::string_view who, std::string_view what) const;
  void do_between(const Step& step);
  void attempt(const Step& how, std::span<const Step> pinned);
  void happen(Trial& trial, const Step& step);
  void judge(Played played);
  bool can_be_handed_over(lifecycle::Mode mode);
  void violate(invariants::Violation violation);

  const Scenario& scenario_;
  const Explain* explain_;
  Rig rig_;
  Outcome outcome_;
  std::size_t first_seen_ = 0;  ///< of the attempt under way
  bool is_broken_ = false;      ///< what arrived was damaged: the VM may be anything, and is left alone
};

void Player::tell(std::string_view who, std::string_view what) const {
  if (explain_ != nullptr) (*explain_)(std::string(who) + ": " + std::string(what));
}

void Player::called(const machine::CallRecord& record) {
  const Owner* taker = rig_.new_owner();
  const bool is_new = taker != nullptr && record.pid == taker->process.pid() && record.image == taker->process.image();
  tell(is_new ? "new" : "old", machine::format(record));
}

void Player::violate(invariants::Violation violation) {
  tell("violation", invariants::text(violation));
  if (!outcome_.violation) outcome_.violation = std::move(violation);
}

void Player::do_between(const Step& step) {
  if (explain_ != nullptr) tell("step", text(step));
  act({rig_, nullptr}, step.action, step.operand);
  rig_.settle();
}

/// A pinned step, before its call.
void Player::happen(Trial& trial, const Step& step) {
  Seen seen{.action = step.action};
  if (const auto phase = rig_.source_phase()) seen.source_phase = static_cast<std::uint8_t>(*phase);
  if (const auto phase = rig_.target_step()) seen.target_step = static_cast<std::uint8_t>(*phase);
  outcome_.seen.push_back(seen);
  mark(seen);
  if (explain_ != nullptr) tell("event", text(step));
  act({rig_, &trial}, step.action, step.operand);
}

/// Whether an attempt that nothing disturbs has to succeed on this host.
bool Player::can_be_handed_over(lifecycle::Mode mode) {
  vm::VirtualMachine& vm = *rig_.owner()->vm;
  if (mode == lifecycle::Mode::cpr_reboot) return vm.life().run_state == lifecycle::RunState::suspended;
  const auto is_enabled = [&](const vm::PciConfig& each) {
    vfio::PciDevice* device = vm.device(each.device.name);
    return device == nullptr || device->interrupts().check_enabled().has_value();
  };
  return vm.life().blockers.size() == 0 && std::ranges::all_of(rig_.config().devices, is_enabled);
}

void Player::attempt(const Step& how, std::span<const Step> pinned) {
  whole_vm::Attempt attempt{.mode = mode_of(how.action),
                            .want_answer = (how.operand & kPlain) == 0,
                            .stop_first = (how.operand & kStopFirst) != 0,
                            .turns = scenario_.turns};
  const bool disturbed = !can_be_handed_over(attempt.mode) ||
                         std::ranges::any_of(pinned, [](const Step& step) { return disturbs(step.action); });
  Trial trial(rig_, attempt, disturbed);
  if (std::ranges::none_of(pinned, [](const Step& step) { return harms(step.action); })) trial.cannot_be_lost();
  for (const Step& step : pinned) {
    whole_vm::Event event{.at = step.call, .action = [&](Rig&) { happen(trial, step); }};
    if (step.action == Action::fault) {
      event.fault = static_cast<machine::FaultPoint>(step.operand);
      event.times = step.times;
    }
    attempt.events.push_back(std::move(event));
  }
  first_seen_ = outcome_.seen.size();
  if (explain_ != nullptr) tell("handover", text(how));
  judge(trial.run(explain_ != nullptr ? this : nullptr));
}

void Player::judge(Played played) {
  const Ending ending = played.given ? Ending::given : rig_.owner() != nullptr ? Ending::kept : Ending::lost;
  outcome_.endings.push_back(ending);
  is_broken_ = played.given && played.damaged;
  outcome_.calls.push_back(std::move(played.calls));
  for (std::size_t i = first_seen_; i < outcome_.seen.size(); ++i) outcome_.seen[i].ending = ending;
  for (const auto& error : {played.outcome.old_error, played.outcome.new_error}) {
    if (!error) continue;
    outcome_.errors.push_back(error->message());
    tell("error", error->message());
  }
  tell("ending", name(ending));
  for (invariants::Violation& each : played.violations) violate(std::move(each));
}

Outcome Player::play() {
  const auto booted = whole_vm::boot_and_work(rig_);
  if (!booted)
    violate({.invariant = "S4",
             .wanted = "the VM boots",
             .found = booted.error().message(),
             .name = "somebody_owns_the_vm"});
  const std::span<const Step> steps(scenario_.steps);
  for (std::size_t at = 0; at < steps.size() && !outcome_.violation && !is_broken_ && rig_.owner() != nullptr;) {
    const Step& step = steps[at++];
    if (!is_handover(step.action)) {
      do_between(step);
      continue;
    }
    const std::size_t first = at;
    while (at < steps.size() && steps[at].pinned) ++at;
    attempt(step, steps.subspan(first, at - first));
  }
  machine::Hasher hasher;
  hasher.word(rig_.machine().hash());
  for (const Ending each : outcome_.endings) hasher.word(static_cast<std::uint64_t>(each));
  for (const std::string& each : outcome_.errors) hasher.text(each);
  outcome_.hash = hasher.value();
  return std::move(outcome_);
}

constexpr std::array<std::string_view, 3> kEndings{"given", "kept", "lost"};

}  // namespace

std::string_view name(Ending ending) {
  return kEndings[static_cast<std::size_t>(ending)];
}

Outcome run(const Scenario& scenario, const Explain* explain) {
  return Player(scenario, explain).play();
}

}  // namespace vcpr::vm_scenario
