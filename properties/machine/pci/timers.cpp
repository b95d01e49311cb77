#include <algorithm>
#include <utility>

#include "properties/machine/pci/edu.hpp"
#include "properties/machine/pci/many_vectors.hpp"
#include "properties/machine/pci/network.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

namespace {

/// The function whose timer is the next to be due; of two at once the one plugged first.
PciFunction* next_due(Machine::Impl& machine) {
  PciFunction* first = nullptr;
  for (VfioDevice* each = machine.devices; each != nullptr; each = each->next)
    if (each->function.due != kNever && (first == nullptr || each->function.due < first->due)) first = &each->function;
  return first;
}

}  // namespace

void start_timer(PciFunction& function, std::uint64_t nanoseconds) {
  function.due = nanoseconds;
  function.machine.next_timer = std::min(function.machine.next_timer, nanoseconds);
}

void run_timers(Machine::Impl& machine) {
  while (machine.next_timer != kNever && machine.next_timer <= machine.now) {
    PciFunction* function = next_due(machine);
    if (function != nullptr && function->due <= machine.now) {
      function->due = kNever;
      function->timer();
    }
    function = next_due(machine);
    machine.next_timer = function != nullptr ? function->due : kNever;
  }
}

namespace {

/// A model of its own, as it has as many vectors as it was asked for.
PciFunction& make_many_vectors(Machine::Impl& machine, std::uint32_t vectors) {
  auto* facts = machine.arena.make<PciModel>(model_of(DeviceModel::many_vectors));
  facts->msix_vectors = static_cast<std::uint16_t>(std::clamp(vectors, 1u, kMaxVectors));
  return *machine.arena.make<ManyVectors>(machine, *facts);
}

}  // namespace

PciFunction& make_function(Machine::Impl& machine, const Plugged& plugged) {
  const PciModel& facts = model_of(plugged.model);
  if (plugged.model == DeviceModel::igb) return *machine.arena.make<Igb>(machine, facts);
  if (plugged.model == DeviceModel::nic) return *machine.arena.make<Nic>(machine, facts);
  if (plugged.model == DeviceModel::many_vectors) return make_many_vectors(machine, plugged.vectors);
  return *machine.arena.make<Edu>(machine, facts);
}

}  // namespace vcpr::machine
