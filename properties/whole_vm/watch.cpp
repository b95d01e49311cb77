#include "properties/whole_vm/watch.hpp"

#include <array>

#include "properties/invariants/report.hpp"

namespace vcpr::whole_vm {

namespace {

template <class... Deeds>
constexpr std::uint8_t bits(Deeds... deeds) {
  return static_cast<std::uint8_t>((std::to_underlying(deeds) | ...));
}

}  // namespace

// Numbers, whether it always holds, what a call must have done to be asked about, and the function.
#define VCPR_SAFETY_INVARIANTS(X)                                                  \
  X(I35, true, bits(Did::vcpus), only_one_guest_is_running)                        \
  X(I3_I5, true, bits(Did::bad_descriptor), every_descriptor_that_is_used_is_open) \
  X(I2, false, bits(Did::close), somebody_holds_every_file)                        \
  X(I11_I19, false, bits(Did::map), nothing_is_mapped_while_stopped)               \
  X(I14, true, bits(Did::map, Did::vcpus), no_guest_runs_on_invalid_vaddrs)        \
  X(I16, false, bits(Did::map), no_page_is_charged_twice)                          \
  X(I20_I21, false, bits(Did::map), ownership_moves_while_stopped)                 \
  X(I10_I17, false, bits(Did::ioctl), nothing_is_built_or_torn_down)               \
  X(I25, true, bits(Did::ioctl), no_eventfd_has_two_irqfds)                        \
  X(I26_I45, true, bits(Did::ioctl, Did::vcpus), irqfds_are_where_the_guest_is)    \
  X(I27, false, bits(Did::ioctl), controllers_are_set_before_irqfds)               \
  X(I22_I27, false, bits(Did::interrupt), signals_meet_their_route)                \
  X(I31, false, bits(Did::interrupt), no_masked_vector_is_delivered)               \
  X(I28, false, bits(Did::ioctl), no_trigger_changes)                              \
  X(I33, false, bits(Did::device, Did::ioctl), no_device_is_touched)               \
  X(I37, true, bits(Did::vcpus), nobody_runs_while_incoming)                       \
  X(I41, false, bits(Did::map, Did::ioctl), nothing_happens_before_the_checks)     \
  X(I46, true, bits(Did::use_file), who_gave_the_vm_away_only_closes)

#define VCPR_REPORT(numbers, always, after, name) VCPR_INVARIANT_REPORT(numbers, name)
VCPR_SAFETY_INVARIANTS(VCPR_REPORT)
#undef VCPR_REPORT

namespace {

#define VCPR_ROW(numbers, always, after, name) \
  SafetyInvariant{#numbers, always, after, #name, name, invariant_##numbers##_##name},
constexpr std::array kInvariants{VCPR_SAFETY_INVARIANTS(VCPR_ROW)};
#undef VCPR_ROW

/// Calls whose first argument is the descriptor they are about.
constexpr bool uses_file(machine::Call call) {
  switch (call) {
    case machine::Call::fcntl:
    case machine::Call::read:
    case machine::Call::write:
    case machine::Call::pread:
    case machine::Call::pwrite:
    case machine::Call::lseek:
    case machine::Call::ftruncate:
    case machine::Call::fstat:
    case machine::Call::ioctl:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::span<const SafetyInvariant> safety_invariants() {
  return kInvariants;
}

Places::Places(const machine::Truth& truth)
    : bad_descriptors(truth.bad_descriptors().end()),
      closings(truth.closings().end()),
      iova_changes(truth.iova_changes().end()),
      device_changes(truth.device_changes().end()),
      injections(truth.injections().end()),
      deliveries(truth.deliveries().end()) {}

Owner* Step::caller() const {
  for (Owner* each : {rig.new_owner(), rig.old_owner()}) {
    if (each != nullptr && &each->process == call.site.process && &each->process.kernel() == &each->kernel) return each;
  }
  return nullptr;
}

bool Step::is_by_new() const {
  return rig.new_owner() != nullptr && caller() == rig.new_owner();
}

bool Step::is_request(std::uint64_t request) const {
  return call.site.call == machine::Call::ioctl && call.arguments[1] == request;
}

bool Step::is_lost() const {
  if (rig.is_given_away()) return !rig.new_owner()->process.alive();
  return !rig.old_owner()->process.alive();
}

Watch::Watch(Rig& rig, const Facts& before) : rig_(rig), before_(before), places_(machine::Truth(rig.machine())) {}

std::uint8_t Watch::what_happened(const machine::CallRecord& call, const Places& now) {
  const auto running = static_cast<std::uint8_t>(int{runs(rig_.old_owner())} | int{runs(rig_.new_owner())} << 1);
  std::uint8_t did = 0;
  const auto add = [&](bool whether, Did what) {
    if (whether) did = bits(what, static_cast<Did>(did));
  };
  add(now.bad_descriptors != places_.bad_descriptors, Did::bad_descriptor);
  add(now.closings != places_.closings, Did::close);
  add(now.iova_changes != places_.iova_changes, Did::map);
  add(now.device_changes != places_.device_changes, Did::device);
  add(now.injections != places_.injections || now.deliveries != places_.deliveries, Did::interrupt);
  add(call.site.call == machine::Call::ioctl, Did::ioctl);
  add(running != running_, Did::vcpus);
  add(uses_file(call.site.call), Did::use_file);
  running_ = running;
  return did;
}

Verdict Watch::called(const machine::CallRecord& call) {
  const Places now{machine::Truth(rig_.machine())};
  const std::uint8_t did = what_happened(call, now);
  Verdict verdict;
  if (did != 0 && rig_.old_owner() != nullptr) {
    const Step step{rig_, before_, call, places_};
    for (const SafetyInvariant& each : kInvariants) {
      if ((each.after & did) == 0 || (!each.always && (paused_ || loose_))) continue;
      verdict = each.check(step);
      if (!verdict) continue;
      verdict->name = each.name;
      break;
    }
  }
  places_ = now;
  return verdict;
}

}  // namespace vcpr::whole_vm
