#include "properties/conformance/kvm_steps.hpp"

#include <cstring>

namespace vcpr::conformance {

namespace {

constexpr std::uint32_t kMessageAddress = 0xfee00000;
constexpr std::uint32_t kSpurious = 0xf0;
constexpr std::uint32_t kRequested = 0x200;
constexpr std::size_t kVectorBytes = 0x80;
constexpr std::uint32_t kEnabled = 0x1ff;
constexpr std::uint64_t kStep = 5'000'000;
constexpr int kSteps = 100;

void wait(os::Kernel& kernel, std::uint64_t nanoseconds) {
  (void)kernel.poll({}, {kernel.now() + nanoseconds});
}

}  // namespace

int open_kvm(os::Kernel& kernel) {
  return kernel.open("/dev/kvm", abi::o_rdwr | abi::o_cloexec).value_or(-1);
}

int make_bare_vm(os::Kernel& kernel) {
  const int kvm = open_kvm(kernel);
  const Outcome vm = ioctl_number(kernel, kvm, request::kvm_create_vm);
  (void)kernel.close(kvm);
  return static_cast<int>(vm);
}

int make_vcpu(os::Kernel& kernel, int vm, std::uint64_t id) {
  const auto vcpu = static_cast<int>(ioctl_number(kernel, vm, request::kvm_create_vcpu, id));
  (void)reset_lapic(kernel, vcpu);
  return vcpu;
}

Vm::Vm(os::Kernel& kernel, bool split) : fd(make_bare_vm(kernel)) {
  (void)(split ? split_irqchip(kernel, fd) : ioctl_number(kernel, fd, request::kvm_create_irqchip));
  vcpu = make_vcpu(kernel, fd);
}

TwoVms::TwoVms(os::Kernel& kernel) : a(kernel), b(kernel), e(make_eventfd(kernel, 0)), e2(make_eventfd(kernel, 0)) {
  (void)route_messages(kernel, a.fd, 4, 24, 0x51);
  (void)route_messages(kernel, b.fd, 4, 24, 0x61);
}

Outcome split_irqchip(os::Kernel& kernel, int vm, std::uint64_t pins) {
  os::abi::kvm_enable_cap cap{.cap = os::abi::kvm_cap_split_irqchip};
  cap.args[0] = pins;
  return ioctl(kernel, vm, request::kvm_enable_cap, &cap);
}

Outcome irqfd(os::Kernel& kernel, int vm, int fd, std::uint32_t gsi, std::uint32_t flags, int resamplefd) {
  os::abi::kvm_irqfd argument{.fd = static_cast<std::uint32_t>(fd),
                              .gsi = gsi,
                              .flags = flags,
                              .resamplefd = static_cast<std::uint32_t>(resamplefd)};
  return ioctl(kernel, vm, request::kvm_irqfd, &argument);
}

Outcome deassign(os::Kernel& kernel, int vm, int fd, std::uint32_t gsi) {
  return irqfd(kernel, vm, fd, gsi, os::abi::kvm_irqfd_flag_deassign);
}

os::abi::kvm_irq_routing_entry message_route(std::uint32_t gsi, std::uint32_t vector) {
  os::abi::kvm_irq_routing_entry entry{};
  entry.gsi = gsi;
  entry.type = os::abi::kvm_irq_routing_msi_id;
  entry.u.msi = {};
  entry.u.msi.address_lo = kMessageAddress;
  entry.u.msi.data = vector;
  return entry;
}

os::abi::kvm_irq_routing_entry pin_route(std::uint32_t gsi, std::uint32_t chip, std::uint32_t pin) {
  os::abi::kvm_irq_routing_entry entry{};
  entry.gsi = gsi;
  entry.type = os::abi::kvm_irq_routing_irqchip_id;
  entry.u.irqchip = {chip, pin};
  return entry;
}

Outcome set_routes(os::Kernel& kernel, int vm, std::span<const os::abi::kvm_irq_routing_entry> routes,
                   std::uint32_t flags) {
  std::vector<std::byte> table(sizeof(os::abi::kvm_irq_routing) + routes.size_bytes());
  const os::abi::kvm_irq_routing header{static_cast<std::uint32_t>(routes.size()), flags};
  std::memcpy(table.data(), &header, sizeof header);
  if (!routes.empty()) std::memcpy(table.data() + sizeof header, routes.data(), routes.size_bytes());
  return ioctl(kernel, vm, request::kvm_set_gsi_routing, table.data());
}

Outcome route_messages(os::Kernel& kernel, int vm, std::uint32_t count, std::uint32_t gsi, std::uint32_t vector) {
  std::vector<os::abi::kvm_irq_routing_entry> routes;
  for (std::uint32_t i = 0; i < count; ++i) routes.push_back(message_route(gsi + i, vector + i));
  return set_routes(kernel, vm, routes);
}

Outcome signal_msi(os::Kernel& kernel, int vm, std::uint32_t address, std::uint32_t data, std::uint32_t flags,
                   std::uint32_t address_hi) {
  os::abi::kvm_msi msi{.address_lo = address, .address_hi = address_hi, .data = data, .flags = flags};
  return ioctl(kernel, vm, request::kvm_signal_msi, &msi);
}

Outcome line_status(os::Kernel& kernel, int vm, std::uint32_t gsi, std::uint32_t level) {
  os::abi::kvm_irq_level line{.irq = gsi, .level = level};
  const Outcome done = ioctl(kernel, vm, request::kvm_irq_line_status, &line);
  return done == 0 ? line.status : done;
}

os::abi::kvm_ioapic_state ioapic_of(os::Kernel& kernel, int vm) {
  os::abi::kvm_irqchip chip{};
  chip.chip_id = os::abi::kvm_irqchip_ioapic;
  (void)ioctl(kernel, vm, request::kvm_get_irqchip, &chip);
  return chip.chip.ioapic;
}

Outcome apic_register(os::Kernel& kernel, int vcpu, std::uint32_t offset) {
  os::abi::kvm_lapic_state state;
  const Outcome done = ioctl(kernel, vcpu, request::kvm_get_lapic, &state);
  std::uint32_t value = 0;
  std::memcpy(&value, state.regs + offset, sizeof value);
  return done == 0 ? Outcome{value} : done;
}

Outcome set_apic_register(os::Kernel& kernel, int vcpu, std::uint32_t offset, std::uint32_t value) {
  os::abi::kvm_lapic_state state;
  (void)ioctl(kernel, vcpu, request::kvm_get_lapic, &state);
  std::memcpy(state.regs + offset, &value, sizeof value);
  return ioctl(kernel, vcpu, request::kvm_set_lapic, &state);
}

Outcome reset_lapic(os::Kernel& kernel, int vcpu) {
  os::abi::kvm_lapic_state state;
  (void)ioctl(kernel, vcpu, request::kvm_get_lapic, &state);
  std::memset(state.regs + kRequested, 0, kVectorBytes);
  std::memcpy(state.regs + kSpurious, &kEnabled, sizeof kEnabled);
  return ioctl(kernel, vcpu, request::kvm_set_lapic, &state);
}

Outcome requested(os::Kernel& kernel, int vcpu, std::uint8_t vector) {
  const Outcome word = apic_register(kernel, vcpu, kRequested + vector / 32u * 0x10);
  return word < 0 ? word : word >> (vector % 32) & 1;
}

Outcome requested_soon(os::Kernel& kernel, int vcpu, std::uint8_t vector) {
  for (int i = 0; i < kSteps && requested(kernel, vcpu, vector) == 0; ++i) wait(kernel, kStep);
  return requested(kernel, vcpu, vector);
}

void settle(os::Kernel& kernel) {
  wait(kernel, 4 * kStep);
}

}  // namespace vcpr::conformance
