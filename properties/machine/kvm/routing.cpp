#include "properties/machine/kvm/routing.hpp"

#include <algorithm>

#include "properties/machine/caller_memory.hpp"
#include "properties/machine/kvm/apic_delivery.hpp"
#include "properties/machine/kvm/limits.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::uint32_t kIsaPins = 2 * kPicPins;
constexpr std::uint32_t kLogicalDestination = 1u << 2;  // of a message's address
constexpr std::uint32_t kRedirectionHint = 1u << 3;
constexpr std::uint32_t kLevelTriggered = 1u << 15;  // of its data

bool is_pin(const Route& route) {
  return route.type == abi::kvm_irq_routing_irqchip_id;
}

/// With 32-bit APIC ids the low byte of the high address is reserved (kvm_msi_route_invalid).
bool is_valid_message(const KvmVm& vm, std::uint32_t address_hi) {
  return !vm.wide_apic_ids || (address_hi & 0xff) == 0;
}

/// kvm_set_routing_entry
bool is_valid(const KvmVm& vm, const abi::kvm_irq_routing_entry& entry) {
  if (entry.gsi >= kMaxRoutes) return false;
  if (entry.type == abi::kvm_irq_routing_msi_id)
    return (entry.flags & ~abi::kvm_msi_valid_devid) == 0 && is_valid_message(vm, entry.u.msi.address_hi);
  if (entry.type != abi::kvm_irq_routing_irqchip_id || entry.flags != 0 || vm.irqchip == Irqchip::split) return false;
  const std::uint32_t chip = entry.u.irqchip.irqchip;
  if (chip > abi::kvm_irqchip_ioapic) return false;
  return entry.u.irqchip.pin < (chip == abi::kvm_irqchip_ioapic ? kIoapicPins : kPicPins);
}

Route route_of(const abi::kvm_irq_routing_entry& entry, std::uint32_t order) {
  Route route{.gsi = entry.gsi, .type = entry.type, .order = order};
  if (is_pin(route)) {
    route.chip = entry.u.irqchip.irqchip;
    route.pin = entry.u.irqchip.pin;
    return route;
  }
  route.address_lo = entry.u.msi.address_lo;
  route.address_hi = entry.u.msi.address_hi;
  route.data = entry.u.msi.data;
  return route;
}

/// A GSI has one message, or one pin of each chip. Sorted by GSI.
bool are_compatible(std::span<const Route> routes) {
  for (std::size_t i = 0; i < routes.size(); ++i)
    for (std::size_t j = i + 1; j < routes.size() && routes[j].gsi == routes[i].gsi; ++j)
      if (!is_pin(routes[i]) || !is_pin(routes[j]) || routes[i].chip == routes[j].chip) return false;
  return true;
}

void free_routes(Arena& arena, Route* routes, std::uint32_t count) {
  if (routes != nullptr) arena.give_back(routes, count * sizeof(Route));
}

void sort(std::span<Route> routes) {
  std::ranges::sort(routes, [](const Route& one, const Route& other) {
    return one.gsi != other.gsi ? one.gsi < other.gsi : one.order < other.order;
  });
}

/// In the order of their GSIs.
os::Result<Route*> read_routes(Context& context, const KvmVm& vm, const void* argument, std::uint32_t count) {
  Arena& arena = context.machine.arena;
  if (!arena.has_room_for(count * sizeof(Route))) return std::unexpected(Errno::enomem);
  Route* routes = arena.make_array<Route>(count);
  const auto* entries = static_cast<const std::byte*>(argument) + sizeof(abi::kvm_irq_routing);
  bool valid = true;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto entry = copy_in<abi::kvm_irq_routing_entry>(context, entries + i * sizeof(abi::kvm_irq_routing_entry));
    if (!entry) {
      free_routes(arena, routes, count);
      return std::unexpected(entry.error());
    }
    valid = valid && is_valid(vm, *entry);
    if (valid) routes[i] = route_of(*entry, i);
  }
  if (valid) sort({routes, count});
  if (valid && are_compatible({routes, count})) return routes;
  free_routes(arena, routes, count);
  return std::unexpected(Errno::einval);
}

int set_route(KvmVm& vm, const Route& route, LineSource source, bool level) {
  if (!is_pin(route)) return level ? send_msi(vm, route.address_lo, route.address_hi, route.data) : -1;
  if (route.chip == abi::kvm_irqchip_ioapic) return set_ioapic_pin(vm, route.pin, source, level);
  return set_pic_pin(vm, route.chip * kPicPins + route.pin, source, level);
}

}  // namespace

std::span<const Route> RouteTable::of(std::uint32_t gsi) const {
  const auto found = std::ranges::equal_range(routes, routes + count, gsi, {}, &Route::gsi);
  return {found.begin(), found.end()};
}

std::int64_t RouteTable::gsi_of_pin(std::uint32_t chip, std::uint32_t pin) const {
  const Route* last = nullptr;
  for (const Route& each : std::span(routes, count))
    if (is_pin(each) && each.chip == chip && each.pin == pin && (last == nullptr || each.order > last->order))
      last = &each;
  return last == nullptr ? -1 : std::int64_t{last->gsi};
}

os::Result<int> set_gsi_routing(Context& context, KvmVm& vm, const void* argument) {
  const auto header = copy_in<abi::kvm_irq_routing>(context, argument);
  if (!header) return std::unexpected(header.error());
  if (vm.irqchip == Irqchip::none || header->nr > kMaxRoutes || header->flags != 0)
    return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::ioctl_set_gsi_routing_enomem)) return std::unexpected(Errno::enomem);
  Route* routes = nullptr;
  if (header->nr != 0) {
    const auto made = read_routes(context, vm, argument, header->nr);
    if (!made) return std::unexpected(made.error());
    routes = *made;
  }
  forget_routes(vm);
  vm.routes = {routes, header->nr};
  return 0;
}

void set_default_routes(KvmVm& vm) {
  constexpr std::uint32_t kCount = kIoapicPins + kIsaPins;
  auto* routes = vm.machine.arena.make_array<Route>(kCount);
  std::uint32_t made = 0;
  for (std::uint32_t gsi = 0; gsi < kIoapicPins; ++gsi) {
    Route route{.gsi = gsi, .type = abi::kvm_irq_routing_irqchip_id, .order = made};
    route.chip = abi::kvm_irqchip_ioapic;
    route.pin = gsi;
    routes[made++] = route;
    if (gsi >= kIsaPins) continue;
    route.order = made;
    route.chip = gsi < kPicPins ? abi::kvm_irqchip_pic_master : abi::kvm_irqchip_pic_slave;
    route.pin = gsi % kPicPins;
    routes[made++] = route;
  }
  forget_routes(vm);
  vm.routes = {routes, kCount};
}

void forget_routes(KvmVm& vm) {
  free_routes(vm.machine.arena, vm.routes.routes, vm.routes.count);
  vm.routes = {};
}

int set_irq(KvmVm& vm, LineSource source, std::uint32_t gsi, bool level) {
  int result = -1;
  for (const Route& route : vm.routes.of(gsi)) {
    const int one = set_route(vm, route, source, level);
    if (one >= 0) result = one + std::max(result, 0);
  }
  return result;
}

int send_msi(KvmVm& vm, std::uint32_t address_lo, std::uint32_t address_hi, std::uint32_t data) {
  if (!is_valid_message(vm, address_hi)) return -static_cast<int>(Errno::einval);
  std::uint32_t destination = address_lo >> 12 & 0xff;
  if (vm.wide_apic_ids) destination |= address_hi & ~std::uint32_t{0xff};
  return deliver(vm, {.destination = destination,
                      .vector = static_cast<std::uint8_t>(data),
                      .mode = static_cast<DeliveryMode>(data >> 8 & 7),
                      .logical = (address_lo & kLogicalDestination) != 0,
                      .level = (data & kLevelTriggered) != 0,
                      .redirection_hint = (address_lo & kRedirectionHint) != 0});
}

}  // namespace vcpr::machine
