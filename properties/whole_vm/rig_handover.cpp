// One attempt: both sides stepped in turn until each has come to an end.
#include <algorithm>
#include <array>

#include "engine/os/abi.hpp"
#include "properties/whole_vm/rig.hpp"

namespace vcpr::whole_vm {

namespace {

using handover::Source;
using handover::Target;
using lifecycle::Mode;

constexpr const char* kCprSocket = "/run/cpr";
constexpr const char* kMainSocket = "/run/main";
/// Turns after which an attempt counts as stuck.
constexpr int kMaxTurns = 20000;
/// Turns without a change of phase before time moves on.
constexpr int kPatience = 3;

}  // namespace

/// The state of one attempt.
struct Rig::Sides {
  const Attempt& attempt;
  Outcome& outcome;
  std::unique_ptr<Source> source{};
  std::unique_ptr<Target> target{};
  int main_file = -1;  ///< exec
  bool old_ended = false;
  bool new_ended = false;
  os::Deadline old_until{};
  os::Deadline new_until{};

  auto phases() const {
    return std::tuple(source ? static_cast<int>(source->phase()) : -1, target ? static_cast<int>(target->step()) : -1,
                      old_ended, new_ended);
  }
};

void Rig::begin(const Attempt& attempt, Sides& sides) {
  handover::SourceOptions from{
      .mode = attempt.mode, .stop_first = attempt.stop_first, .want_answer = attempt.want_answer};
  if (attempt.mode == Mode::cpr_transfer) {
    new_ = &owners_.emplace_back(*machine_, machine_->spawn(), *guest_);
    (void)new_->kernel.unlink(kCprSocket);
    (void)new_->kernel.unlink(kMainSocket);
    handover::TargetOptions to{.mode = attempt.mode, .cpr_socket = kCprSocket, .main_socket = kMainSocket};
    sides.target = std::make_unique<Target>(new_->kernel, to);
    from.cpr_socket = kCprSocket;
    from.main_socket = kMainSocket;
  } else {
    sides.main_file = old_->kernel.memfd_create("main", 0).value_or(-1);
    from.main_file = sides.main_file;
    from.exec_path = "/vmm";
    from.exec_arguments = {"vmm"};
    sides.new_ended = true;  // there is none before execve
  }
  sides.source = std::make_unique<Source>(*old_->vm, from);
}

void Rig::step_old(Sides& sides) {
  if (sides.old_ended) return;
  if (!old_->process.alive()) {
    sides.old_ended = true;
    return;
  }
  const std::uint32_t image = old_->process.image();
  auto advanced = sides.source->advance();
  if (old_->process.alive() && old_->process.image() != image) {
    sides.old_ended = true;
    return start_new_image(sides);
  }
  if (!old_->process.alive()) return;
  if (!advanced) sides.outcome.old_error = std::move(advanced.error());
  sides.old_ended = sides.outcome.old_error.has_value() || advanced->done;
  if (!sides.old_ended) sides.old_until = advanced->until;
}

void Rig::start_new_image(Sides& sides) {
  sides.source.reset();
  old_->vm.reset();  // the old image is dead: this frees memory only
  old_->vcpus.stop();
  new_ = &owners_.emplace_back(*machine_, old_->process, *guest_);
  handover::TargetOptions to{.mode = Mode::cpr_exec, .main_file = sides.main_file};
  sides.target = std::make_unique<Target>(new_->kernel, to);
  sides.new_ended = false;
}

Expected<void> Rig::build_new(Sides& sides) {
  auto arrival = sides.target->take_arrival();
  if (!arrival) return std::unexpected(std::move(arrival.error()));
  auto vm = vm::VirtualMachine::create(new_->kernel, new_->embedder(), config(), std::move(*arrival));
  if (!vm) return std::unexpected(std::move(vm.error()));
  new_->vm = std::move(*vm);
  return sides.target->attach(*new_->vm);
}

void Rig::step_new(Sides& sides) {
  if (sides.new_ended) return;
  if (!new_->process.alive()) {
    sides.new_ended = true;
    return;
  }
  auto advanced = sides.target->advance();
  Expected<void> built;
  if (advanced && sides.target->step() == handover::TargetStep::building) {
    built = build_new(sides);
    if (!built) sides.target->cancel();
  }
  if (!new_->process.alive()) return;
  if (!built) sides.outcome.new_error = std::move(built.error());
  if (!advanced) sides.outcome.new_error = std::move(advanced.error());
  if (sides.outcome.new_error) {  // as a VMM does: it says why and exits
    kill(*new_);
    sides.new_ended = true;
    return;
  }
  sides.new_ended = sides.target->step() == handover::TargetStep::done;
  sides.new_until = advanced->until;
}

void Rig::pass_time(const Sides& sides) {
  std::uint64_t until = std::numeric_limits<std::uint64_t>::max();
  if (!sides.old_ended) until = std::min(until, sides.old_until.nanoseconds);
  if (!sides.new_ended) until = std::min(until, sides.new_until.nanoseconds);
  const std::uint64_t now = machine_->now();
  if (until != std::numeric_limits<std::uint64_t>::max() && until > now) machine_->advance_time(until - now);
}

void Rig::conclude(Sides& sides) {
  sides.outcome.ended = sides.old_ended && sides.new_ended;
  sides.outcome.calls = call();
  if (sides.source) sides.outcome.roll_back = sides.source->roll_back();
  attempt_ = nullptr;
  if (sides.main_file >= 0 && old_->process.alive()) (void)old_->process.kernel().close(sides.main_file);
  const auto owns = [](Owner* each) {
    return each != nullptr && each->process.alive() && each->vm && each->vcpus.running();
  };
  owner_ = owns(new_) ? new_ : owns(old_) ? old_ : nullptr;
}

Outcome Rig::hand_over(const Attempt& attempt) {
  Outcome outcome;
  old_ = owner_;
  new_ = nullptr;
  first_call_ = machine_->calls();
  next_event_ = 0;
  attempt_ = &attempt;
  Sides sides{.attempt = attempt, .outcome = outcome};
  begin(attempt, sides);
  int quiet = 0;
  for (int turn = 0; turn < kMaxTurns && !(sides.old_ended && sides.new_ended); ++turn) {
    const auto before = sides.phases();
    step_old(sides);
    step_new(sides);
    for (Owner& each : owners_) run_owner(each);
    quiet = before == sides.phases() ? quiet + 1 : 0;
    if (quiet > kPatience) pass_time(sides);
  }
  conclude(sides);
  return outcome;
}

}  // namespace vcpr::whole_vm
