#include "properties/vm_scenario/acting.hpp"

#include <algorithm>
#include <array>

#include "properties/machine/in_flight.hpp"
#include "properties/machine/pci/guest.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::vm_scenario {

namespace {

using whole_vm::Owner;
using whole_vm::Rig;

constexpr std::uint64_t kDmaTarget = 0x1000;  // a page of the first block that stays zero
constexpr std::uint32_t kDmaBytes = 64;
constexpr std::uint64_t kMillisecond = 1'000'000;

using Change = std::function<Expected<void>(Owner&)>;

/// The guest or the management changes the VM: after the engine's step, and only if it runs.
void change(const Stage& stage, Change how, void (whole_vm::Trial::*as)(const Change&) = &whole_vm::Trial::change) {
  stage.rig.postpone([trial = stage.trial, how = std::move(how), as](Rig& rig) {
    if (trial != nullptr) return (trial->*as)(how);
    if (Owner* owner = rig.running(); owner != nullptr) (void)how(*owner);
  });
}
void replug(const Stage& stage, Change how) {
  change(stage, std::move(how), &whole_vm::Trial::replug);
}

void raise(const Stage& stage, std::uint32_t line) {
  stage.rig.guest().raise(line);
}
void start_dma(const Stage& stage, std::uint32_t device) {
  if (stage.rig.is_plugged(device)) (void)machine::start_dma(stage.rig.machine(), device, kDmaTarget, kDmaBytes);
}
void complete_dma(const Stage& stage, std::uint32_t device) {
  (void)machine::complete_dma(stage.rig.machine(), device);
}
void device_error(const Stage& stage, std::uint32_t device) {
  stage.rig.machine().report_device_error(device);
}
void unplug_request(const Stage& stage, std::uint32_t device) {
  stage.rig.machine().request_device(device);
}

void hold(const Stage& stage, std::uint32_t) {
  stage.rig.guest().hold();
}
void release(const Stage& stage, std::uint32_t) {
  stage.rig.guest().release();
}
void take(const Stage& stage, std::uint32_t) {
  if (Owner* owner = stage.rig.running(); owner != nullptr) stage.rig.guest().take(*owner->vm, owner->process);
}
void end(const Stage& stage, std::uint32_t) {
  if (Owner* owner = stage.rig.running(); owner != nullptr) stage.rig.guest().end(*owner->vm, owner->process);
}
void set_mask(const Stage& stage, std::uint32_t line, bool masked) {
  Rig& rig = stage.rig;
  change(stage,
         [&rig, line, masked](Owner& owner) { return rig.guest().mask(*owner.vm, owner.process, line, masked); });
}
void mask(const Stage& stage, std::uint32_t line) {
  set_mask(stage, line, true);
}
void unmask(const Stage& stage, std::uint32_t line) {
  set_mask(stage, line, false);
}
void disable(const Stage& stage, std::uint32_t device) {
  change(stage, [&rig = stage.rig, device](Owner& owner) { return rig.guest().disable(*owner.vm, device); });
}
void enable(const Stage& stage, std::uint32_t device) {
  change(stage, [&rig = stage.rig, device](Owner& owner) -> Expected<void> {
    if (!rig.is_plugged(device) || rig.guest().is_on(device)) return {};
    return rig.guest().enable(*owner.vm, device, false);
  });
}

void suspend(const Stage& stage, std::uint32_t) {
  change(stage, [](Owner& owner) { return owner.vm->suspend(); });
}
void wake(const Stage& stage, std::uint32_t) {
  stage.rig.postpone([trial = stage.trial](Rig& rig) {
    if (Owner* owner = rig.owner(); trial == nullptr && owner != nullptr) (void)owner->vm->wake_up();
  });
}
void unplug(const Stage& stage, std::uint32_t device) {
  replug(stage, [&rig = stage.rig, device](Owner&) { return rig.unplug(device); });
}
void plug(const Stage& stage, std::uint32_t device) {
  replug(stage, [&rig = stage.rig, device](Owner&) { return rig.plug(device); });
}

void nothing(const Stage&, std::uint32_t) {}

void kill_old(const Stage& stage, std::uint32_t) {
  stage.rig.kill_old();
}
void kill_new(const Stage& stage, std::uint32_t) {
  stage.rig.kill_new();
}
void cancel_old(const Stage& stage, std::uint32_t) {
  stage.rig.cancel_old();
}
void cancel_new(const Stage& stage, std::uint32_t) {
  stage.rig.cancel_new();
}

/// A byte of what is in flight, or else of the file that the main stream goes to, is xor-ed; or two descriptors change
/// places. The seed's low 24 bits say where, the high 8 what to flip; none: descriptors.
void damage(const Stage& stage, std::uint32_t seed) {
  machine::Machine& machine = stage.rig.machine();
  const std::uint32_t where = seed & 0xffffff;
  const auto flip = static_cast<std::byte>(seed >> 24);
  if (flip == std::byte{}) {
    if (machine::swap_descriptors_in_flight(machine, where)) stage.trial->was_damaged();
    return;
  }
  const auto pieces = machine::bytes_in_flight(machine);
  std::size_t total = 0;
  for (const auto& piece : pieces) total += piece.size();
  std::size_t at = total != 0 ? where % total : 0;
  for (const auto& piece : pieces) {
    if (at < piece.size()) {
      piece[at] ^= flip;
      return stage.trial->was_damaged();
    }
    at -= piece.size();
  }
  if (stage.rig.damage_file(where, flip)) stage.trial->was_damaged();
}

void advance(const Stage& stage, std::uint32_t milliseconds) {
  stage.rig.machine().advance_time(milliseconds * kMillisecond);
}

using Act = void (*)(const Stage&, std::uint32_t);
constexpr std::array<Act, kActions> kActs{
    raise,   start_dma, complete_dma, device_error, unplug_request, hold,       release,    take,   end,
    mask,    unmask,    disable,      enable,       suspend,        wake,       unplug,     plug,   nothing,
    nothing, nothing,   nothing,      kill_old,     kill_new,       cancel_old, cancel_new, damage, advance};

}  // namespace

void act(const Stage& stage, Action action, std::uint32_t operand) {
  kActs[static_cast<std::size_t>(action)](stage, operand);
}

bool harms(Action action) {
  return action >= Action::fault;
}

bool disturbs(Action action) {
  return action > Action::end;
}

}  // namespace vcpr::vm_scenario
