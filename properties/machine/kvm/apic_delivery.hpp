// From an interrupt message to the local APICs it names (kvm_irq_delivery_to_apic).
#pragma once

#include <cstdint>

namespace vcpr::machine {

struct KvmVm;

enum class DeliveryMode : std::uint8_t { fixed, lowest_priority, smi, remote_read, nmi, init, startup, external };

struct ApicMessage {
  std::uint32_t destination = 0;
  std::uint8_t vector = 0;
  DeliveryMode mode = DeliveryMode::fixed;
  bool logical = false;  ///< `destination` is a set of logical ids
  bool level = false;
  bool redirection_hint = false;  ///< one of the destinations will do
};

/// How many local APICs took it; -1 when the lookup of every APIC, used where none of the maps applies, found none.
int deliver(KvmVm& vm, const ApicMessage& message);

}  // namespace vcpr::machine
