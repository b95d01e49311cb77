#include "properties/whole_vm/play.hpp"

#include <array>

namespace vcpr::whole_vm {

namespace {

void fill_memory(Owner& owner) {
  constexpr std::size_t kStep = 64 << 10;
  std::uint32_t value = 1;
  for (const memory::RamBlock& block : owner.vm->ram().all()) {
    for (std::uint64_t at = 0; at < block.size; at += kStep, ++value)
      (void)owner.process.store(os::UserAddr(block.host.value() + at), std::as_bytes(std::span(&value, 1)));
  }
}

void raise_all(Rig& rig) {
  for (std::size_t i = 0; i < rig.guest().lines().size(); ++i) {
    rig.guest().raise(i);
    rig.settle();
  }
}

}  // namespace

Played play(const Shape& shape, const Attempt& attempt, bool disturbed) {
  Played played;
  Rig rig(shape);
  if (auto booted = rig.boot(); !booted) {
    played.violations.push_back("boot: " + booted.error().message());
    return played;
  }
  fill_memory(*rig.owner());
  raise_all(rig);
  const Facts before = take_facts(rig, *rig.owner());
  Witness witness;
  rig.machine().set_listener(&witness);
  played.outcome = rig.hand_over(attempt);
  rig.machine().set_listener(nullptr);
  rig.settle();
  std::vector<Line> settled = rig.guest().lines();
  Facts after;
  if (rig.owner() != nullptr) {
    if (rig.owner() == rig.new_owner() && &rig.old_owner()->process != &rig.owner()->process)
      rig.kill(*rig.old_owner());
    rig.settle();
    settled = rig.guest().lines();
    raise_all(rig);
    after = take_facts(rig, *rig.owner());
  }
  const Handover handover{.rig = rig,
                          .attempt = attempt,
                          .outcome = played.outcome,
                          .witness = witness,
                          .before = before,
                          .after = rig.owner() != nullptr ? &after : nullptr,
                          .settled = settled,
                          .disturbed = disturbed};
  played.given = handover.given();
  for (const Asked& each : witness.asked()) played.calls.push_back(each.call);
  for (const Violation& each : check(handover)) played.violations.push_back(invariants::text(each));
  return played;
}

}  // namespace vcpr::whole_vm
