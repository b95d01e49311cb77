#include "properties/machine/kvm/apic_delivery.hpp"

#include <bit>

#include "properties/machine/kvm/vcpu.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

namespace {

constexpr std::uint32_t kBroadcast = 0xff;
constexpr int kLogicalIds = 16;

/// How all enabled APICs read logical destinations; `mixed`: not alike, or their ids are not one bit each.
enum class LogicalMode : std::uint8_t { none, flat, cluster, mixed };

bool one_of(const ApicMessage& message) {
  return message.mode == DeliveryMode::lowest_priority || message.redirection_hint;
}

/// __apic_accept_irq: 1 when it was taken.
int accept(Vcpu& vcpu, const ApicMessage& message) {
  switch (message.mode) {
    case DeliveryMode::fixed:
    case DeliveryMode::lowest_priority: {
      if (!vcpu.lapic.is_software_enabled()) return 0;
      const bool is_new = vcpu.lapic.request(message.vector, message.level);
      Machine::Impl& machine = vcpu.vm.machine;
      machine.deliveries.append(
          machine.arena, {machine.current_call, vcpu.vm.description, vcpu.id, message.vector, message.level, is_new});
      return 1;
    }
    case DeliveryMode::external:
      return 0;
    default:
      return 1;  // SMI, NMI, INIT, SIPI reach a CPU that does not run
  }
}

bool matches_logically(const Lapic& lapic, std::uint32_t destination) {
  const std::uint32_t id = lapic.logical_id();
  if (lapic.is_flat()) return (id & destination) != 0;
  return id >> 4 == destination >> 4 && (id & destination & 0xf) != 0;
}

/// kvm_apic_match_dest
bool matches(const Lapic& lapic, const ApicMessage& message) {
  if (message.destination == kBroadcast) return true;
  return message.logical ? matches_logically(lapic, message.destination) : message.destination == lapic.id();
}

/// The APIC of a logical id: in one cluster a bit, in flat mode a bit of all.
Vcpu* find_logical(const KvmVm& vm, LogicalMode mode, std::uint32_t cluster, int bit) {
  for (Vcpu* each = vm.vcpus; each != nullptr; each = each->next) {
    const std::uint32_t id = each->lapic.logical_id();
    if (!each->lapic.is_software_enabled()) continue;
    const bool in_cluster = mode == LogicalMode::flat || id >> 4 == cluster;
    const std::uint32_t bits = mode == LogicalMode::flat ? id : id & 0xf;
    if (in_cluster && bits == 1u << bit) return each;
  }
  return nullptr;
}

/// kvm_recalculate_logical_map
LogicalMode logical_mode(const KvmVm& vm) {
  LogicalMode mode = LogicalMode::none;
  for (Vcpu* each = vm.vcpus; each != nullptr; each = each->next) {
    if (!each->lapic.is_software_enabled()) continue;
    const LogicalMode own = each->lapic.is_flat() ? LogicalMode::flat : LogicalMode::cluster;
    if (mode != LogicalMode::none && mode != own) return LogicalMode::mixed;
    mode = own;
    const std::uint32_t id = each->lapic.logical_id();
    const std::uint32_t bits = own == LogicalMode::flat ? id : id & 0xf;
    if (bits == 0) continue;
    if (!std::has_single_bit(bits)) return LogicalMode::mixed;
    if (find_logical(vm, own, id >> 4, std::countr_zero(bits)) != each) return LogicalMode::mixed;
  }
  return mode;
}

/// Whether every APIC has an id of its own, so that the map by id exists (kvm_recalculate_phys_map).
bool has_physical_map(const KvmVm& vm) {
  bool taken[kBroadcast + 1] = {};
  for (Vcpu* each = vm.vcpus; each != nullptr; each = each->next) {
    const bool was_taken = std::exchange(taken[each->lapic.id()], true);
    if (was_taken && !vm.wide_apic_ids) return false;
  }
  return vm.vcpus != nullptr;
}

/// kvm_vector_to_index: the set bit that this vector falls on.
int bit_for(std::uint8_t vector, std::uint32_t bits) {
  for (int skip = vector % std::popcount(bits); skip > 0; --skip) bits &= bits - 1;
  return std::countr_zero(bits);
}

int deliver_by_logical_map(KvmVm& vm, const ApicMessage& message, LogicalMode mode) {
  if (mode == LogicalMode::none) return 0;
  const std::uint32_t cluster = message.destination >> 4 & 0xf;
  std::uint32_t bits = message.destination & (mode == LogicalMode::flat ? 0xff : 0xf);
  if (one_of(message) && bits != 0) bits = 1u << bit_for(message.vector, bits);
  int taken = 0;
  for (int bit = 0; bit < kLogicalIds; ++bit) {
    if ((bits >> bit & 1) == 0) continue;
    if (Vcpu* vcpu = find_logical(vm, mode, cluster, bit)) taken += accept(*vcpu, message);
  }
  return taken;
}

int deliver_by_id(KvmVm& vm, const ApicMessage& message) {
  for (Vcpu* each = vm.vcpus; each != nullptr; each = each->next)
    if (each->lapic.id() == message.destination) return accept(*each, message);
  return 0;
}

/// To one of those that match, chosen by the vector (vector hashing).
int deliver_to_one(KvmVm& vm, const ApicMessage& message) {
  std::uint32_t candidates = 0;
  const auto is_candidate = [&](const Vcpu& vcpu) {
    return matches(vcpu.lapic, message) && vcpu.lapic.is_software_enabled();
  };
  for (const Vcpu* each = vm.vcpus; each != nullptr; each = each->next) candidates += is_candidate(*each);
  if (candidates == 0) return -1;
  std::uint32_t skip = message.vector % candidates;
  for (Vcpu* each = vm.vcpus;; each = each->next)
    if (is_candidate(*each) && skip-- == 0) return accept(*each, message);
}

/// The slow path of __kvm_irq_delivery_to_apic.
int deliver_by_search(KvmVm& vm, ApicMessage message) {
  if (!message.logical && message.destination == kBroadcast && one_of(message)) message.mode = DeliveryMode::fixed;
  if (one_of(message)) return deliver_to_one(vm, message);
  int taken = -1;
  for (Vcpu* each = vm.vcpus; each != nullptr; each = each->next)
    if (matches(each->lapic, message)) taken = (taken < 0 ? 0 : taken) + accept(*each, message);
  return taken;
}

}  // namespace

int deliver(KvmVm& vm, const ApicMessage& message) {
  if (message.destination == kBroadcast || !has_physical_map(vm)) return deliver_by_search(vm, message);
  if (!message.logical) return deliver_by_id(vm, message);
  const LogicalMode mode = logical_mode(vm);
  return mode == LogicalMode::mixed ? deliver_by_search(vm, message) : deliver_by_logical_map(vm, message, mode);
}

}  // namespace vcpr::machine
