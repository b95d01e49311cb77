// How an invariant of this room says what disagrees.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "engine/os/abi/vfio.hpp"
#include "properties/whole_vm/invariants.hpp"

namespace vcpr::whole_vm {

inline Verdict violated(std::string_view numbers, std::string wanted, std::string found) {
  return Violation{.invariant = numbers, .wanted = std::move(wanted), .found = std::move(found)};
}

/// Whether a call of the log fell into the attempt or the time after it.
inline bool is_of(const Handover& handover, std::uint64_t call) {
  return call >= handover.before.call;
}

/// Whether it builds or tears down groups, containers, iommufd objects or their mappings.
bool is_building(std::uint64_t request);

/// Whether a VMM delivers the pin of a device by hand: without KVM, while the driver has turned its route off, or when
/// the host had no irqfd for it.
inline bool has_pin_by_hand(const Handover& handover) {
  return std::ranges::any_of(handover.before.triggers, [&](const machine::TriggerFact& trigger) {
    return trigger.index == os::abi::vfio_pci_intx_irq_index &&
           std::ranges::find(handover.before.irqfds, trigger.eventfd, &machine::IrqfdFact::eventfd) ==
               handover.before.irqfds.end();
  });
}

template <class T>
std::string number(T value) {
  return std::to_string(value);
}

inline Verdict touched(const machine::DeviceChange& change) {
  return violated("I33", "no reset and the same command register",
                  (change.kind == machine::DeviceChangeKind::reset ? "reset of device " : "command of device ") +
                      number(change.device) + " at call " + number(change.call_number));
}

}  // namespace vcpr::whole_vm
