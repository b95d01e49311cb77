#include "properties/machine/kvm/ioapic.hpp"

#include "properties/machine/kvm/apic_delivery.hpp"
#include "properties/machine/kvm/irqfd.hpp"
#include "properties/machine/kvm/limits.hpp"
#include "properties/machine/kvm/vm.hpp"

namespace vcpr::machine {

namespace {

constexpr std::uint64_t kDefaultBase = 0xfec00000;
constexpr std::uint8_t kFirstEntry = 0x10;  // register number of pin 0
constexpr std::uint64_t kDeliveryStatus = 1u << 12;
constexpr std::uint64_t kRemoteIrr = 1u << 14;
constexpr std::uint64_t kLevel = 1u << 15;
constexpr std::uint64_t kMasked = 1u << 16;
constexpr std::uint64_t kLowHalf = 0xffffffff;

std::uint32_t bit(std::uint32_t pin) {
  return 1u << pin;
}

ApicMessage message_of(std::uint64_t entry) {
  return {.destination = static_cast<std::uint32_t>(entry >> 56),
          .vector = static_cast<std::uint8_t>(entry),
          .mode = static_cast<DeliveryMode>(entry >> 8 & 7),
          .logical = (entry >> 11 & 1) != 0,
          .level = (entry & kLevel) != 0,
          .redirection_hint = false};
}

/// ioapic_service: sends the pin's message unless it is masked or waits for EOI.
int service(KvmVm& vm, std::uint32_t pin) {
  Ioapic& ioapic = vm.ioapic;
  const std::uint64_t entry = ioapic.state.redirtbl[pin];
  const bool level = (entry & kLevel) != 0;
  if ((entry & kMasked) != 0 || (level && (entry & kRemoteIrr) != 0)) return -1;
  if (!level) ioapic.served_edges |= bit(pin);
  const int taken = deliver(vm, message_of(entry));
  if (taken != 0 && level) ioapic.state.redirtbl[pin] |= kRemoteIrr;
  return taken;
}

/// ioapic_set_irq
int set_level(KvmVm& vm, std::uint32_t pin, bool high) {
  Ioapic& ioapic = vm.ioapic;
  if (!high) {
    ioapic.state.irr &= ~bit(pin);
    return 1;
  }
  const bool was_high = (ioapic.state.irr & bit(pin)) != 0;
  ioapic.state.irr |= bit(pin);
  if ((ioapic.state.redirtbl[pin] & kLevel) == 0) {
    ioapic.served_edges &= ~bit(pin);
    if (was_high) return 0;
  }
  return service(vm, pin);
}

std::int64_t gsi_of(const KvmVm& vm, std::uint32_t pin) {
  return vm.routes.gsi_of_pin(os::abi::kvm_irqchip_ioapic, pin);
}

/// kvm_ioapic_update_eoi_one
void end_of_pin(KvmVm& vm, std::uint32_t pin, bool level) {
  acknowledge_gsi(vm, gsi_of(vm, pin));
  std::uint64_t& entry = vm.ioapic.state.redirtbl[pin];
  if (!level) return;
  entry &= ~kRemoteIrr;
  if ((entry & kMasked) == 0 && (vm.ioapic.state.irr & bit(pin)) != 0) (void)service(vm, pin);
}

/// Whether the local APIC passes this vector's EOI on at all (kvm_ioapic_scan_entry).
bool handles(const KvmVm& vm, std::uint8_t vector) {
  for (std::uint32_t pin = 0; pin < kIoapicPins; ++pin) {
    const std::uint64_t entry = vm.ioapic.state.redirtbl[pin];
    if (static_cast<std::uint8_t>(entry) != vector) continue;
    if ((entry & kLevel) != 0 || has_resampler(vm, gsi_of(vm, pin))) return true;
  }
  return false;
}

/// What a new entry sets off: a level that waited behind the mask is asked for again, or sent.
void reconsider(KvmVm& vm, std::uint32_t pin) {
  const std::uint64_t entry = vm.ioapic.state.redirtbl[pin];
  const bool pending = (vm.ioapic.state.irr & bit(pin)) != 0;
  if ((entry & kLevel) == 0 || !pending || (entry & (kMasked | kRemoteIrr)) != 0) return;
  if (!has_resampler(vm, gsi_of(vm, pin))) return (void)service(vm, pin);
  // What the resampler's owner then raises comes through a worker: after the line was found low.
  vm.ioapic.state.irr &= ~bit(pin);
  notify_resampler(vm, gsi_of(vm, pin));
}

}  // namespace

Ioapic::Ioapic() {
  state.base_address = kDefaultBase;
  for (std::uint64_t& entry : state.redirtbl) entry = kMasked;
}

os::abi::kvm_ioapic_state get_ioapic(const KvmVm& vm) {
  os::abi::kvm_ioapic_state state = vm.ioapic.state;
  state.irr &= ~vm.ioapic.served_edges;
  return state;
}

void set_ioapic(KvmVm& vm, const os::abi::kvm_ioapic_state& state) {
  vm.ioapic.state = state;
  vm.ioapic.state.irr = 0;
  vm.ioapic.served_edges = 0;
  for (std::uint32_t pin = 0; pin < kIoapicPins; ++pin)
    if ((state.irr & bit(pin)) != 0) (void)set_level(vm, pin, true);
}

int set_ioapic_pin(KvmVm& vm, std::uint32_t pin, LineSource source, bool level) {
  std::uint8_t& sources = vm.ioapic.sources[pin];
  const auto own = static_cast<std::uint8_t>(1u << static_cast<unsigned>(source));
  sources = static_cast<std::uint8_t>(level ? sources | own : sources & ~own);
  return set_level(vm, pin, sources != 0);
}

void write_ioapic(KvmVm& vm, std::uint8_t index, std::uint32_t value) {
  const std::uint32_t pin = (index - std::uint32_t{kFirstEntry}) >> 1;
  if (index < kFirstEntry || pin >= kIoapicPins) return;
  std::uint64_t& entry = vm.ioapic.state.redirtbl[pin];
  const std::uint64_t kept = entry & (kRemoteIrr | kDeliveryStatus);
  entry = (index & 1) != 0 ? (entry & kLowHalf) | std::uint64_t{value} << 32 : (entry & ~kLowHalf) | value;
  entry = (entry & ~(kRemoteIrr | kDeliveryStatus)) | kept;
  if ((entry & kLevel) == 0) entry &= ~kRemoteIrr;  // what stands for an EOI on old IOAPICs
  reconsider(vm, pin);
}

void end_of_ioapic_interrupt(KvmVm& vm, std::uint8_t vector, bool level) {
  if (!handles(vm, vector)) return;
  for (std::uint32_t pin = 0; pin < kIoapicPins; ++pin)
    if (static_cast<std::uint8_t>(vm.ioapic.state.redirtbl[pin]) == vector) end_of_pin(vm, pin, level);
}

}  // namespace vcpr::machine
