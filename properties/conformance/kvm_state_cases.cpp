// KVM: what VMs and vCPUs hold: memory slots, routes, local APICs, the IOAPIC.
#include "properties/conformance/kvm_steps.hpp"

namespace vcpr::conformance {

namespace {

using Region = os::abi::kvm_userspace_memory_region;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kNowhere = 0x10000;  // an address with nothing behind it
constexpr std::uint32_t kLogDirty = os::abi::kvm_mem_log_dirty_pages;
constexpr std::uint32_t kReadOnly = os::abi::kvm_mem_readonly;

Outcome set_slot(os::Kernel& k, int vm, Region region) {
  return ioctl(k, vm, request::kvm_set_user_memory_region, &region);
}

void k30(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int vm = make_bare_vm(k);
  report.expect("no address is looked up", set_slot(k, vm, {0, 0, 0, kMiB, kNowhere}), 0);
  report.expect("the same again", set_slot(k, vm, {0, 0, 0, kMiB, kNowhere}), 0);
  report.expect("overlap", set_slot(k, vm, {1, 0, kMiB - kPage, kPage, kNowhere}), fails(Errno::eexist));
  report.expect("adjacent", set_slot(k, vm, {1, 0, kMiB, kMiB, kNowhere}), 0);
  report.expect("another size", set_slot(k, vm, {0, 0, 0, 2 * kMiB, kNowhere}), fails(Errno::einval));
  report.expect("another address", set_slot(k, vm, {0, 0, 0, kMiB, kNowhere + kPage}), fails(Errno::einval));
  report.expect("now read-only", set_slot(k, vm, {0, kReadOnly, 0, kMiB, kNowhere}), fails(Errno::einval));
  report.expect("dirty log", set_slot(k, vm, {0, kLogDirty, 0, kMiB, kNowhere}), 0);
  report.expect("move onto another", set_slot(k, vm, {0, 0, kMiB, kMiB, kNowhere}), fails(Errno::eexist));
  report.expect("move", set_slot(k, vm, {0, 0, 16 * kMiB, kMiB, kNowhere}), 0);
  report.expect("into the gap", set_slot(k, vm, {2, kReadOnly, 0, kMiB, kNowhere}), 0);
  report.expect("delete", set_slot(k, vm, {0, 0, 0, 0, 0}), 0);
  report.expect("delete again", set_slot(k, vm, {0, 0, 0, 0, 0}), fails(Errno::einval));
  report.expect("its place is free", set_slot(k, vm, {3, 0, 16 * kMiB, kMiB, kNowhere}), 0);
}

void k31(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int vm = make_bare_vm(k);
  const auto slots =
      static_cast<std::uint32_t>(ioctl_number(k, vm, request::kvm_check_extension, abi::kvm_cap_nr_memslots));
  constexpr std::uint64_t kKernelHalf = 0xffff'8000'0000'0000;
  report.expect("no argument", ioctl<void>(k, vm, request::kvm_set_user_memory_region, nullptr), fails(Errno::efault));
  report.expect("flags 8", set_slot(k, vm, {0, 8, 0, kMiB, kNowhere}), fails(Errno::einval));
  report.expect("slot beyond", set_slot(k, vm, {slots, 0, 0, kMiB, kNowhere}), fails(Errno::einval));
  report.expect("last slot", set_slot(k, vm, {slots - 1, 0, 0, kMiB, kNowhere}), 0);
  report.expect("address space 2", set_slot(k, vm, {2 << 16, 0, 0, kMiB, kNowhere}), fails(Errno::einval));
  report.expect("size", set_slot(k, vm, {0, 0, kMiB, 100, kNowhere}), fails(Errno::einval));
  report.expect("guest address", set_slot(k, vm, {0, 0, kMiB + 1, kMiB, kNowhere}), fails(Errno::einval));
  report.expect("address", set_slot(k, vm, {0, 0, kMiB, kMiB, kNowhere + 1}), fails(Errno::einval));
  report.expect("of the kernel", set_slot(k, vm, {0, 0, kMiB, kMiB, kKernelHalf}), fails(Errno::einval));
  report.expect("wraps", set_slot(k, vm, {0, 0, ~std::uint64_t{0} - kPage + 1, 2 * kPage, kNowhere}),
                fails(Errno::einval));
  report.expect("nothing to delete", set_slot(k, vm, {0, 0, 0, 0, 0}), fails(Errno::einval));
}

void k32(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int kvm = open_kvm(k);
  report.expect("API version", ioctl_number(k, kvm, request::kvm_get_api_version), 12);
  report.expect("with an argument", ioctl_number(k, kvm, request::kvm_get_api_version, 1), fails(Errno::einval));
  report.expect("run page", ioctl_number(k, kvm, request::kvm_get_vcpu_mmap_size), 3 * kPage);
  report.expect("unknown", ioctl_number(k, kvm, 0x1234), fails(Errno::einval));
  report.expect("type 99", ioctl_number(k, kvm, request::kvm_create_vm, 99), fails(Errno::einval));
  for (const std::uint32_t capability : {abi::kvm_cap_irqchip, abi::kvm_cap_irqfd, abi::kvm_cap_irqfd_resample,
                                         abi::kvm_cap_signal_msi, abi::kvm_cap_split_irqchip, abi::kvm_cap_device_ctrl})
    report.expect("capability", ioctl_number(k, kvm, request::kvm_check_extension, capability), 1);
  report.expect("routes", ioctl_number(k, kvm, request::kvm_check_extension, abi::kvm_cap_irq_routing), 4096);
  report.expect("no capability", ioctl_number(k, kvm, request::kvm_check_extension, 99999), 0);
  const int vm = make_bare_vm(k);
  report.expect("close-on-exec", k.fcntl(vm, abi::f_getfd, 0), abi::fd_cloexec);
  report.expect("unknown on a VM", ioctl_number(k, vm, 0x1234), fails(Errno::enotty));
  const auto vcpu = static_cast<int>(ioctl_number(k, vm, request::kvm_create_vcpu, 0));
  report.expect("close-on-exec", k.fcntl(vcpu, abi::f_getfd, 0), abi::fd_cloexec);
  report.expect("unknown on a vCPU", ioctl_number(k, vcpu, 0x1234), fails(Errno::einval));
  report.expect("vCPU 0 again", ioctl_number(k, vm, request::kvm_create_vcpu, 0), fails(Errno::eexist));
  report.expect("a huge id", ioctl_number(k, vm, request::kvm_create_vcpu, 1ull << 32), fails(Errno::einval));
  report.expect("close it", k.close(vcpu), 0);
  report.expect("its id stays taken", ioctl_number(k, vm, request::kvm_create_vcpu, 0), fails(Errno::eexist));
  world.set_descriptor_limit(static_cast<std::uint32_t>(vcpu));
  report.expect("no number", ioctl_number(k, vm, request::kvm_create_vcpu, 1), fails(Errno::emfile));
  world.set_descriptor_limit(1024);
  report.expect("now", ioctl_number(k, vm, request::kvm_create_vcpu, 1), vcpu);
}

void k33(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  const auto refused = [&](std::string_view step, os::abi::kvm_irq_routing_entry entry) {
    report.expect(step, set_routes(k, t.a.fd, {&entry, 1}), fails(Errno::einval));
  };
  auto entry = message_route(4096, 0x51);
  refused("GSI 4096", entry);
  entry = message_route(24, 0x51);
  entry.flags = 2;
  refused("flags of a message", entry);
  entry = pin_route(24, os::abi::kvm_irqchip_ioapic, 0);
  entry.flags = 1;
  refused("flags of a pin", entry);
  refused("pin 24", pin_route(24, os::abi::kvm_irqchip_ioapic, 24));
  refused("pin 8 of a PIC", pin_route(24, os::abi::kvm_irqchip_pic_slave, 8));
  refused("chip 3", pin_route(24, 3, 0));
  entry.type = 77;
  refused("type 77", entry);
  const auto two = [&](const os::abi::kvm_irq_routing_entry& one, const os::abi::kvm_irq_routing_entry& other) {
    const std::array both{one, other};
    return set_routes(k, t.a.fd, both);
  };
  const auto pin = pin_route(30, os::abi::kvm_irqchip_ioapic, 3);
  report.expect("two messages", two(message_route(30, 1), message_route(30, 2)), fails(Errno::einval));
  report.expect("a pin and a message", two(pin, message_route(30, 2)), fails(Errno::einval));
  report.expect("two pins of a chip", two(pin, pin_route(30, os::abi::kvm_irqchip_ioapic, 4)), fails(Errno::einval));
  report.expect("flags", set_routes(k, t.a.fd, {&pin, 1}, 1), fails(Errno::einval));
  os::abi::kvm_irq_routing many{4097, 0};
  report.expect("too many", ioctl(k, t.a.fd, request::kvm_set_gsi_routing, &many), fails(Errno::einval));
  report.expect("assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("write", write_counter(k, t.e, 1), 8);
  report.expect("the old routes are still there", requested_soon(k, t.a.vcpu, 0x51), 1);
  report.expect("pins of two chips", two(pin, pin_route(30, os::abi::kvm_irqchip_pic_master, 3)), 0);
}

void k34(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Vm a(k);
  report.expect("the PIC takes GSI 5", line_status(k, a.fd, 5, 1), 1);
  report.expect("the IOAPIC's is masked", line_status(k, a.fd, 20, 1), -1);
  report.expect("and pending", ioapic_of(k, a.fd).irr, 1 << 20 | 1 << 5);
  report.expect("no route", line_status(k, a.fd, 200, 1), -1);
  report.expect("low", line_status(k, a.fd, 20, 0), 1);
  report.expect("and gone", ioapic_of(k, a.fd).irr, 1 << 5);
  os::abi::kvm_irqchip pic{};
  report.expect("GET_IRQCHIP", ioctl(k, a.fd, request::kvm_get_irqchip, &pic), 0);
  report.expect("request of the PIC", pic.chip.pic.irr, 1 << 5);
}

void k35(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Vm a(k);
  constexpr std::uint64_t kLevel = 1 << 15;
  constexpr std::uint64_t kRemoteIrr = 1 << 14;
  os::abi::kvm_irqchip chip{};
  chip.chip_id = os::abi::kvm_irqchip_ioapic;
  report.expect("GET_IRQCHIP", ioctl(k, a.fd, request::kvm_get_irqchip, &chip), 0);
  report.expect("masked at first", static_cast<Outcome>(chip.chip.ioapic.redirtbl[20]), 1 << 16);
  chip.chip.ioapic.redirtbl[20] = 0x41;
  chip.chip.ioapic.redirtbl[21] = 0x52 | kLevel;
  chip.chip.ioapic.redirtbl[22] = 0x63;
  chip.chip.ioapic.irr = 1 << 22;
  report.expect("SET_IRQCHIP", ioctl(k, a.fd, request::kvm_set_irqchip, &chip), 0);
  report.expect("what was pending comes", requested(k, a.vcpu, 0x63), 1);
  report.expect("an edge", line_status(k, a.fd, 20, 1), 1);
  report.expect("IRR", requested(k, a.vcpu, 0x41), 1);
  report.expect("the edge again", line_status(k, a.fd, 20, 1), 0);
  report.expect("a level", line_status(k, a.fd, 21, 1), 1);
  report.expect("IRR", requested(k, a.vcpu, 0x52), 1);
  report.expect("TMR", apic_register(k, a.vcpu, 0x180 + 0x52 / 32 * 0x10) >> (0x52 % 32) & 1, 1);
  report.expect("the level again", line_status(k, a.fd, 21, 1), -1);
  const os::abi::kvm_ioapic_state state = ioapic_of(k, a.fd);
  report.expect("the level, and the edge that came twice", state.irr, 1 << 21 | 1 << 20);
  report.expect("waits for EOI", static_cast<Outcome>(state.redirtbl[21] & kRemoteIrr), kRemoteIrr);
}

void k36(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Vm a(k);
  const auto second = static_cast<int>(ioctl_number(k, a.fd, request::kvm_create_vcpu, 1));
  report.expect("id", apic_register(k, second, 0x20), 1 << 24);
  report.expect("spurious vector", apic_register(k, second, 0xf0), 0xff);
  report.expect("destination format", apic_register(k, second, 0xe0), 0xffffffff);
  report.expect("LINT0", apic_register(k, second, 0x350), 0x10000);
  report.expect("LINT0 of the first", apic_register(k, a.vcpu, 0x350), 0x700);
  report.expect("disabled", signal_msi(k, a.fd, 0xfee01000, 0x71), 0);
  report.expect("broadcast", signal_msi(k, a.fd, 0xfeeff000, 0x72), 1);
  report.expect("IRR of the first", requested(k, a.vcpu, 0x72), 1);
  report.expect("enable", reset_lapic(k, second), 0);
  report.expect("broadcast", signal_msi(k, a.fd, 0xfeeff000, 0x73), 2);
  report.expect("IRR of the second", requested(k, second, 0x73), 1);
  report.expect("logical id", set_apic_register(k, a.vcpu, 0xd0, 1u << 24), 0);
  report.expect("logical id", set_apic_register(k, second, 0xd0, 2u << 24), 0);
  report.expect("both, logically", signal_msi(k, a.fd, 0xfee03004, 0x74), 2);
  report.expect("the second, logically", signal_msi(k, a.fd, 0xfee02004, 0x75), 1);
  report.expect("IRR of the first", requested(k, a.vcpu, 0x75), 0);
  report.expect("one of both", signal_msi(k, a.fd, 0xfee03004, 0x176), 1);
  report.expect("by vector", requested(k, a.vcpu, 0x76), 1);
  report.expect("one of both", signal_msi(k, a.fd, 0xfee03004, 0x177), 1);
  report.expect("by vector", requested(k, second, 0x77), 1);
  report.expect("priority", set_apic_register(k, second, 0x80, 0x35), 0);
  report.expect("of the processor", apic_register(k, second, 0xa0), 0x35);
  report.expect("no argument", ioctl<void>(k, second, request::kvm_get_lapic, nullptr), fails(Errno::efault));
}

void k37(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int empty = make_bare_vm(k);
  report.expect("irqchip", ioctl_number(k, empty, request::kvm_create_irqchip), 0);
  report.expect("no vCPU at all", signal_msi(k, empty, 0xfee00000, 0x51), fails(Errno::eperm));
  const TwoVms t(k);
  report.expect("high address", signal_msi(k, t.a.fd, 0xfee00000, 0x52, 0, 1), 1);
  os::abi::kvm_enable_cap cap{.cap = os::abi::kvm_cap_x2apic_api};
  cap.args[0] = 0x100;
  report.expect("unknown", ioctl(k, t.a.fd, request::kvm_enable_cap, &cap), fails(Errno::einval));
  cap.args[0] = os::abi::kvm_x2apic_api_use_32bit_ids;
  cap.flags = 1;
  report.expect("flags", ioctl(k, t.a.fd, request::kvm_enable_cap, &cap), fails(Errno::einval));
  cap.flags = 0;
  report.expect("32-bit ids", ioctl(k, t.a.fd, request::kvm_enable_cap, &cap), 0);
  report.expect("low byte of the high address", signal_msi(k, t.a.fd, 0xfee00000, 0x53, 0, 1), fails(Errno::einval));
  auto entry = message_route(24, 0x51);
  entry.u.msi.address_hi = 1;
  report.expect("in a route", set_routes(k, t.a.fd, {&entry, 1}), fails(Errno::einval));
  report.expect("vCPU 256", signal_msi(k, t.a.fd, 0xfee00000, 0x53, 0, 0x100), 0);
}

constexpr std::array kCases = {
    Case{"K30", "memory slots", Feature::kvm, k30},
    Case{"K31", "bad memory slots", Feature::kvm, k31},
    Case{"K32", "what /dev/kvm, VMs and vCPUs answer", Feature::kvm, k32},
    Case{"K33", "bad routes change nothing", Feature::kvm, k33},
    Case{"K34", "lines by ioctl", Feature::kvm, k34},
    Case{"K35", "edges and levels of the IOAPIC", Feature::kvm, k35},
    Case{"K36", "local APICs and who a message reaches", Feature::kvm, k36},
    Case{"K37", "32-bit APIC ids", Feature::kvm, k37},
};

}  // namespace

std::span<const Case> kvm_state_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
