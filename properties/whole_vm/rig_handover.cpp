// One attempt: both sides stepped in turn until each has come to an end.
#include <algorithm>
#include <array>

#include "engine/os/abi.hpp"
#include "properties/machine/truth.hpp"
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
/// Of a main stream: the memory of the largest shape, and what else there is.
constexpr std::size_t kMaxFileBytes = 1 << 20;

}  // namespace

/// The state of one attempt.
struct Rig::Sides {
  const Attempt& attempt;
  Outcome& outcome;
  std::unique_ptr<Source> source{};
  std::unique_ptr<Target> target{};
  int main_file = -1;  ///< exec, reboot
  bool old_ended = false;
  bool new_ended = false;
  std::optional<handover::Advance> old_wait{};  ///< none: it has something to do
  std::optional<handover::Advance> new_wait{};
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
    sides.new_ended = true;  // there is none before execve, or before old has gone
    from.main_file = sides.main_file;
    from.exec_path = "/vmm";
    from.exec_arguments = {"vmm"};
  }
  sides.source = std::make_unique<Source>(*old_->vm, from);
}

/// The file was written: the old process quits, and a new one finds it and opens its devices anew.
void Rig::reboot(Sides& sides) {
  const machine::Truth truth(*machine_);
  const std::uint32_t file = truth.description_of(old_->process, sides.main_file);
  const std::vector<std::byte> bytes = truth.contents(file, 0, kMaxFileBytes);
  sides.source.reset();
  kill(*old_);
  new_ = &owners_.emplace_back(*machine_, machine_->spawn(), *guest_);
  sides.main_file = new_->process.install(
      {.kind = machine::FileKind::file, .link = "/var/vm", .size = bytes.size(), .number = std::nullopt});
  (void)new_->process.fill(sides.main_file, 0, bytes);
  handover::TargetOptions to{.mode = Mode::cpr_reboot, .main_file = sides.main_file};
  sides.target = std::make_unique<Target>(new_->kernel, to);
  sides.new_ended = false;
}

void Rig::step_old(Sides& sides) {
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
  if (!sides.old_ended) sides.old_wait = *advanced;
  if (advanced && advanced->done && sides.attempt.mode == Mode::cpr_reboot) reboot(sides);
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
  new_->take(std::move(*vm));
  return sides.target->attach(*new_->vm);
}

void Rig::step_new(Sides& sides) {
  if (!new_->process.alive()) {
    sides.new_ended = true;
    return;
  }
  auto advanced = sides.target->advance();
  Expected<void> built;
  const bool is_to_build = advanced && sides.target->step() == handover::TargetStep::building;
  if (is_to_build) built = build_new(sides);
  if (!built) sides.target->cancel();
  if (!new_->process.alive()) return;
  if (!built) sides.outcome.new_error = std::move(built.error());
  if (!advanced) sides.outcome.new_error = std::move(advanced.error());
  if (sides.outcome.new_error) {  // as a VMM does: it says why and exits
    kill(*new_);
    sides.new_ended = true;
    return;
  }
  sides.new_ended = sides.target->step() == handover::TargetStep::done;
  sides.new_wait = is_to_build ? std::nullopt : std::optional(*advanced);
}

/// What it waits for has come, or its time is over.
bool Rig::is_due(Owner& owner, const std::optional<handover::Advance>& wait) {
  if (!wait || !owner.process.alive() || wait->until.passed(machine_->now())) return true;
  if (wait->fd < 0) return false;
  os::PollFd wanted{wait->fd, wait->events, 0};
  const auto ready = owner.kernel.poll({&wanted, 1}, {0});
  return !ready || *ready > 0;
}

/// Nobody has anything to do: time moves to the earliest deadline. False: there is none.
bool Rig::pass_time(const Sides& sides) {
  os::Deadline until = os::Deadline::never();
  if (!sides.old_ended && sides.old_wait) until = std::min(until, sides.old_wait->until);
  if (!sides.new_ended && sides.new_wait) until = std::min(until, sides.new_wait->until);
  if (until == os::Deadline::never()) return false;
  if (!until.passed(machine_->now())) machine_->advance_time(until.nanoseconds - machine_->now());
  return true;
}

bool Rig::is_given_away() const {
  if (new_ == nullptr) return false;
  const bool is_next_image = &new_->process == &old_->process;
  return is_next_image || !old_->process.alive() || old_->vm->life().run_state == lifecycle::RunState::postmigrate;
}

void Rig::kill_old() {
  const bool is_next_image = new_ != nullptr && &new_->process == &old_->process;
  if (sides_ != nullptr && old_->process.alive()) sides_->outcome.vm_killed |= is_next_image || !is_given_away();
  kill(*old_);
}

void Rig::kill_new() {
  if (new_ == nullptr) return;
  if (sides_ != nullptr) sides_->outcome.vm_killed |= new_->process.alive() && is_given_away();
  kill(*new_);
}

void Rig::cancel_old() {
  postpone([](Rig& rig) {
    if (rig.sides_ == nullptr || !rig.sides_->source) return;
    rig.sides_->source->cancel();
    rig.sides_->old_wait.reset();
  });
}

/// As a VMM whose user says no: it ends.
void Rig::cancel_new() {
  postpone([](Rig& rig) {
    if (rig.sides_ == nullptr || !rig.sides_->target || rig.sides_->new_ended) return;
    rig.sides_->target->cancel();
    rig.sides_->new_wait.reset();
  });
}

bool Rig::damage_file(std::uint64_t where, std::byte flip) {
  if (sides_ == nullptr || sides_->main_file < 0) return false;
  machine::Process& holder = new_ != nullptr ? new_->process : old_->process;
  const machine::Truth truth(*machine_);
  const std::uint32_t file = truth.description_of(holder, sides_->main_file);
  if (file == 0) return false;  // its holder has died
  std::vector<std::byte> bytes = truth.contents(file, 0, kMaxFileBytes);
  if (bytes.empty()) return false;
  where %= bytes.size();
  const std::byte changed = bytes[where] ^ flip;
  return holder.fill(sides_->main_file, where, std::span(&changed, 1));
}

std::optional<handover::Phase> Rig::source_phase() const {
  if (sides_ == nullptr || !sides_->source) return std::nullopt;
  return sides_->source->phase();
}

std::optional<handover::TargetStep> Rig::target_step() const {
  if (sides_ == nullptr || !sides_->target) return std::nullopt;
  return sides_->target->step();
}

void Rig::conclude(Sides& sides) {
  sides.outcome.ended = sides.old_ended && sides.new_ended;
  sides.outcome.calls = call();
  if (sides.source) sides.outcome.roll_back = sides.source->roll_back();
  attempt_ = nullptr;
  armed_.clear();
  Owner* reader = sides.attempt.mode == Mode::cpr_reboot && new_ != nullptr ? new_ : old_;
  if (sides.main_file >= 0 && reader->process.alive()) (void)reader->process.kernel().close(sides.main_file);
  owner_ = nullptr;
  for (Owner* each : {old_, new_}) {
    if (each != nullptr && each->has_vm()) owner_ = each;
  }
}

bool Rig::step(Sides& sides, int turn) {
  bool did = false;
  const bool new_first = (sides.attempt.turns >> (turn % 32) & 1) != 0;
  for (const bool is_new : {new_first, !new_first}) {
    if (is_new ? sides.new_ended : sides.old_ended) continue;
    if (!is_due(is_new ? *new_ : *old_, is_new ? sides.new_wait : sides.old_wait)) continue;
    is_new ? step_new(sides) : step_old(sides);
    (void)do_postponed();
    did = true;
  }
  for (Owner& each : owners_) did |= run_owner(each);
  return do_postponed() || did;
}

Outcome Rig::hand_over(const Attempt& attempt) {
  Outcome outcome;
  old_ = owner_;
  new_ = nullptr;
  first_call_ = machine_->calls();
  next_event_ = 0;
  attempt_ = &attempt;
  Sides sides{.attempt = attempt, .outcome = outcome};
  sides_ = &sides;
  begin(attempt, sides);
  for (int turn = 0; turn < kMaxTurns && !(sides.old_ended && sides.new_ended); ++turn) {
    if (!step(sides, turn) && !pass_time(sides)) break;
  }
  conclude(sides);
  sides_ = nullptr;
  return outcome;
}

}  // namespace vcpr::whole_vm
