// GSI routes of a VM and what a level on a GSI sets off (virt/kvm/irqchip.c, arch/x86/kvm/irq.c).
#pragma once

#include <cstdint>
#include <span>

#include "engine/os/abi/kvm.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::machine {

struct Context;
struct KvmVm;

struct Route {
  std::uint32_t gsi = 0;
  std::uint32_t type = 0;   ///< kvm_irq_routing_irqchip_id, kvm_irq_routing_msi_id
  std::uint32_t order = 0;  ///< place in the caller's table
  std::uint32_t chip = 0;   ///< of a pin
  std::uint32_t pin = 0;
  std::uint32_t address_lo = 0;  ///< of a message
  std::uint32_t address_hi = 0;
  std::uint32_t data = 0;
};

/// Sorted by GSI, those of one GSI in the caller's order.
struct RouteTable {
  Route* routes = nullptr;
  std::uint32_t count = 0;

  std::span<const Route> of(std::uint32_t gsi) const;
  /// The GSI routed to a pin, by the last route that names it; -1 when there is none.
  std::int64_t gsi_of_pin(std::uint32_t chip, std::uint32_t pin) const;
};

/// Who drives a line: it is high while one of them holds it.
enum class LineSource : std::uint8_t { user, resampler };

/// KVM_SET_GSI_ROUTING: replaces the whole table, or on error leaves it. EFAULT, EINVAL, ENOMEM.
os::Result<int> set_gsi_routing(Context& context, KvmVm& vm, const void* argument);
/// GSI 0-23 on the IOAPIC's pins, 0-15 on those of the PICs too.
void set_default_routes(KvmVm& vm);
void forget_routes(KvmVm& vm);

/// kvm_set_irq: < 0 ignored, 0 coalesced, otherwise how many vCPUs got it (summed over the routes of the GSI).
int set_irq(KvmVm& vm, LineSource source, std::uint32_t gsi, bool level);
/// kvm_set_msi: the same for one message.
int send_msi(KvmVm& vm, std::uint32_t address_lo, std::uint32_t address_hi, std::uint32_t data);

}  // namespace vcpr::machine
