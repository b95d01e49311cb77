#include <algorithm>
#include <utility>

#include "properties/machine/pci/edu.hpp"
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

PciFunction& make_function(Machine::Impl& machine, DeviceModel model) {
  const PciModel& facts = model_of(model);
  if (model == DeviceModel::igb) return *machine.arena.make<Igb>(machine, facts);
  if (model == DeviceModel::nic) return *machine.arena.make<Nic>(machine, facts);
  return *machine.arena.make<Edu>(machine, facts);
}

}  // namespace vcpr::machine
