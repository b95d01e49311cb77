#include "properties/whole_vm/trial.hpp"

namespace vcpr::whole_vm {

namespace {

constexpr std::size_t kPage = 4096;

void fill_memory(Owner& owner) {
  std::uint32_t value = 1;
  for (const memory::RamBlock& block : owner.vm->ram().all()) {
    for (std::uint64_t at = 0; at < block.size; at += 4 * kPage, ++value)
      (void)owner.process.store(os::UserAddr(block.host.value() + at), std::as_bytes(std::span(&value, 1)));
  }
}

/// A VMM that delivers a pin by hand maps the BARs again when the guest has left the device alone for a while (QEMU's
/// x-intx-mmap-timeout-ms); a VM at rest has them.
constexpr std::uint64_t kRest = 2'000'000'000;
void rest(Rig& rig) {
  rig.settle();
  rig.machine().advance_time(kRest);
  rig.settle();
}

void raise_all(Rig& rig) {
  for (std::size_t i = 0; i < rig.guest().lines().size(); ++i) {
    rig.guest().raise(i);
    rig.settle();
  }
}

}  // namespace

Trial::Trial(Rig& rig, const Attempt& attempt, bool disturbed)
    : rig_(rig), attempt_(attempt), disturbed_(disturbed), may_be_lost_(disturbed), watch_(rig, before_) {
  rest(rig_);
  before_ = take_facts(rig_, *rig_.owner());
}

void Trial::was_damaged() {
  damaged_ = true;
  watch_.loosen();
}

void Trial::change(const std::function<Expected<void>(Owner&)>& how) {
  Owner* owner = rig_.running();
  if (owner == nullptr || owner != rig_.old_owner() || owner->vm->is_stopped()) return;
  changed_ = true;
  const machine::Truth truth(rig_.machine());
  const std::uint32_t descriptors = truth.descriptors_open(owner->process);
  watch_.pause();
  (void)how(*owner);
  if (!owner->process.alive()) return;
  Facts now = rig_.undisturbed([&] { return take_facts(rig_, *owner); });
  watch_.resume();
  now.descriptors = before_.descriptors + now.descriptors - descriptors;
  now.environment = std::move(before_.environment);
  before_ = std::move(now);
  witness_.forget();
}

void Trial::replug(const std::function<Expected<void>(Owner&)>& how) {
  change([&](Owner& owner) {
    replugged_ = true;
    watch_.loosen();
    return how(owner);
  });
}

/// The guest wakes up, opens every line, and takes what waited. After a reboot its drivers begin anew.
void Trial::relax() {
  Owner& owner = *rig_.owner();
  if (owner.vm->life().run_state == lifecycle::RunState::suspended) (void)owner.vm->wake_up();
  rig_.guest().release();
  rig_.guest().end(*owner.vm, owner.process);
  if (attempt_.mode == lifecycle::Mode::cpr_reboot && rig_.owner() == rig_.new_owner())
    rig_.guest().start_over(*owner.vm);
  for (std::size_t line = 0; line < rig_.guest().lines().size(); ++line)
    if (rig_.guest().lines()[line].is_masked) (void)rig_.guest().mask(*owner.vm, owner.process, line, false);
  rig_.settle();
}

void Trial::called(const machine::CallRecord& record) {
  witness_.called(record);
  if (also_ != nullptr) also_->called(record);
  // A reboot opens the devices anew.
  if (attempt_.mode == lifecycle::Mode::cpr_reboot && !rig_.old_owner()->process.alive()) watch_.loosen();
  if (!at_once_) at_once_ = watch_.called(record);
}

Played Trial::run(machine::Listener* also) {
  Played played;
  also_ = also;
  rig_.machine().set_listener(this);
  played.outcome = rig_.hand_over(attempt_);
  rig_.settle();
  rig_.machine().set_listener(also);
  std::vector<Line> settled;
  Facts after;
  if (rig_.owner() != nullptr) {
    if (rig_.owner() == rig_.new_owner() && &rig_.old_owner()->process != &rig_.owner()->process)
      rig_.kill(*rig_.old_owner());
    rest(rig_);
    after = take_facts(rig_, *rig_.owner());
    relax();
    settled = rig_.guest().lines();
    raise_all(rig_);
  }
  rig_.machine().set_listener(nullptr);
  const Handover handover{.rig = rig_,
                          .attempt = attempt_,
                          .outcome = played.outcome,
                          .witness = witness_,
                          .before = before_,
                          .after = rig_.owner() != nullptr ? &after : nullptr,
                          .settled = settled,
                          .disturbed = disturbed_,
                          .may_be_lost = may_be_lost_,
                          .damaged = damaged_,
                          .changed = changed_,
                          .replugged = replugged_};
  played.given = handover.given();
  played.damaged = damaged_;
  played.calls.reserve(witness_.asked().size());
  for (const Asked& each : witness_.asked()) {
    if (played.calls.size() < played.outcome.calls) played.calls.push_back(each.passed);
  }
  played.violations = check(handover);
  if (at_once_) played.violations.insert(played.violations.begin(), *at_once_);
  return played;
}

Expected<void> boot_and_work(Rig& rig) {
  if (auto booted = rig.boot(); !booted) return booted;
  fill_memory(*rig.owner());
  raise_all(rig);
  return {};
}

Played play(const Shape& shape, const Attempt& attempt, bool disturbed) {
  Rig rig(shape);
  if (auto booted = boot_and_work(rig); !booted) {
    Played played;
    played.violations.push_back({.invariant = "S4",
                                 .wanted = "the VM boots",
                                 .found = booted.error().message(),
                                 .name = "somebody_owns_the_vm"});
    return played;
  }
  return Trial(rig, attempt, disturbed).run();
}

}  // namespace vcpr::whole_vm
