// KVM: irqfds, routes, the VFIO device, who may call.
#include "properties/conformance/kvm_steps.hpp"

namespace vcpr::conformance {

namespace {

constexpr std::uint32_t kResample = os::abi::kvm_irqfd_flag_resample;
constexpr Outcome kOut = abi::pollout;
constexpr int kKept = 700;  // numbers that the second half of a case with exec knows
constexpr int kCounter = 701;

void k01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int vm = make_bare_vm(k);
  const int e = make_eventfd(k, 0);
  os::abi::kvm_irq_level line{.irq = 1, .level = 1};
  os::abi::kvm_irqchip chip{};
  report.expect("IRQFD", irqfd(k, vm, e, 24), fails(Errno::einval));
  report.expect("SET_GSI_ROUTING", route_messages(k, vm, 1, 24, 0x51), fails(Errno::einval));
  report.expect("IRQFD DEASSIGN", deassign(k, vm, e, 24), 0);
  report.expect("SIGNAL_MSI", signal_msi(k, vm, 0xfee00000, 0x51), fails(Errno::einval));
  report.expect("IRQ_LINE", ioctl(k, vm, request::kvm_irq_line, &line), fails(Errno::enxio));
  report.expect("GET_IRQCHIP", ioctl(k, vm, request::kvm_get_irqchip, &chip), fails(Errno::enxio));
  report.expect("SET_IRQCHIP", ioctl(k, vm, request::kvm_set_irqchip, &chip), fails(Errno::enxio));
  const Outcome vcpu = ioctl_number(k, vm, request::kvm_create_vcpu);
  report.expect("CREATE_VCPU", vcpu >= 0, 1);
  report.expect("GET_LAPIC", requested(k, static_cast<int>(vcpu), 0x51), fails(Errno::einval));
  report.expect("CREATE_IRQCHIP", ioctl_number(k, vm, request::kvm_create_irqchip), fails(Errno::einval));
  report.expect("SPLIT", split_irqchip(k, vm), fails(Errno::eexist));
}

void k02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int vm = make_bare_vm(k);
  os::abi::kvm_irqchip chip{};
  chip.chip_id = 3;
  report.expect("CREATE_IRQCHIP", ioctl_number(k, vm, request::kvm_create_irqchip), 0);
  report.expect("again", ioctl_number(k, vm, request::kvm_create_irqchip), fails(Errno::eexist));
  report.expect("SPLIT", split_irqchip(k, vm), fails(Errno::eexist));
  report.expect("GET_IRQCHIP of no chip", ioctl(k, vm, request::kvm_get_irqchip, &chip), fails(Errno::einval));
  report.expect("SET_IRQCHIP of no chip", ioctl(k, vm, request::kvm_set_irqchip, &chip), fails(Errno::einval));
}

void k03(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  report.expect("too many pins", split_irqchip(k, make_bare_vm(k), 4097), fails(Errno::einval));
  const Vm a(k, true);
  const int e = make_eventfd(k, 0);
  os::abi::kvm_irqchip chip{};
  const auto pin = pin_route(0, os::abi::kvm_irqchip_ioapic, 0);
  report.expect("GET_IRQCHIP", ioctl(k, a.fd, request::kvm_get_irqchip, &chip), fails(Errno::enxio));
  report.expect("RESAMPLE", irqfd(k, a.fd, e, 1, kResample, e), fails(Errno::einval));
  report.expect("a route to a pin", set_routes(k, a.fd, {&pin, 1}), fails(Errno::einval));
  report.expect("no routes to begin with", line_status(k, a.fd, 1, 1), -1);
  report.expect("route", route_messages(k, a.fd, 1, 24, 0x51), 0);
  report.expect("IRQFD", irqfd(k, a.fd, e, 24), 0);
  report.expect("write", write_counter(k, e, 1), 8);
  report.expect("IRR", requested_soon(k, a.vcpu, 0x51), 1);
}

void k04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("flags 8", irqfd(k, t.a.fd, t.e, 24, 8), fails(Errno::einval));
  report.expect("fd -1", irqfd(k, t.a.fd, -1, 24), fails(Errno::ebadf));
  report.expect("no eventfd", irqfd(k, t.a.fd, t.b.fd, 24), fails(Errno::einval));
  report.expect("DEASSIGN fd -1", deassign(k, t.a.fd, -1, 24), fails(Errno::ebadf));
  report.expect("DEASSIGN no eventfd", deassign(k, t.a.fd, t.b.fd, 24), fails(Errno::einval));
  report.expect("resamplefd -1", irqfd(k, t.a.fd, t.e, 1, kResample, -1), fails(Errno::ebadf));
  report.expect("resamplefd no eventfd", irqfd(k, t.a.fd, t.e, 1, kResample, t.b.fd), fails(Errno::einval));
  report.expect("no argument", ioctl<void>(k, t.a.fd, request::kvm_irqfd, nullptr), fails(Errno::efault));
  report.expect("any GSI", irqfd(k, t.a.fd, t.e, 5000), 0);
}

void k05(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("A: assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("A: again", irqfd(k, t.a.fd, t.e, 24), fails(Errno::ebusy));
  report.expect("A: another GSI", irqfd(k, t.a.fd, t.e, 25), fails(Errno::ebusy));
  report.expect("B: assign", irqfd(k, t.b.fd, t.e, 24), fails(Errno::ebusy));
  report.expect("A: another eventfd", irqfd(k, t.a.fd, t.e2, 24), 0);
  report.expect("A: DEASSIGN of another GSI", deassign(k, t.a.fd, t.e, 25), 0);
  report.expect("B: assign", irqfd(k, t.b.fd, t.e, 24), fails(Errno::ebusy));
  report.expect("A: DEASSIGN", deassign(k, t.a.fd, t.e, 24), 0);
  report.expect("A: again", deassign(k, t.a.fd, t.e, 24), 0);
  report.expect("B: assign", irqfd(k, t.b.fd, t.e, 24), 0);
}

void k06(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("write 3", write_counter(k, t.e, 3), 8);
  report.expect("assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("IRR", requested_soon(k, t.a.vcpu, 0x51), 1);
  report.expect("read", read_counter(k, t.e), 3);
}

void k07(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("write 5", write_counter(k, t.e, 5), 8);
  report.expect("IRR", requested_soon(k, t.a.vcpu, 0x51), 1);
  report.expect("poll", events(k, t.e), kOut);
  report.expect("read", read_counter(k, t.e), fails(Errno::eagain));
}

void k08(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("write 3", write_counter(k, t.e, 3), 8);
  report.expect("assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("write 1", write_counter(k, t.e, 1), 8);
  report.expect("read", read_counter(k, t.e), fails(Errno::eagain));
}

void k09(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("write 3", write_counter(k, t.e, 3), 8);
  report.expect("assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("DEASSIGN", deassign(k, t.a.fd, t.e, 24), 0);
  report.expect("read", read_counter(k, t.e), fails(Errno::eagain));
}

void k10(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  const int e = make_eventfd(k, 3, abi::efd_semaphore);
  report.expect("assign", irqfd(k, t.a.fd, e, 24), 0);
  report.expect("DEASSIGN", deassign(k, t.a.fd, e, 24), 0);
  for (int i = 0; i < 2; ++i) report.expect("read", read_counter(k, e), 1);
  report.expect("read", read_counter(k, e), fails(Errno::eagain));
}

void k11(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("write 0", write_counter(k, t.e, 0), 8);
  report.expect("IRR", requested_soon(k, t.a.vcpu, 0x51), 1);
}

void k12(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  const int e = make_eventfd(k, 0, abi::efd_semaphore);
  report.expect("assign", irqfd(k, t.a.fd, e, 24), 0);
  report.expect("write 5", write_counter(k, e, 5), 8);
  report.expect("IRR", requested_soon(k, t.a.vcpu, 0x51), 1);
  report.expect("clear", reset_lapic(k, t.a.vcpu), 0);
  report.expect("write 1", write_counter(k, e, 1), 8);
  report.expect("IRR", requested_soon(k, t.a.vcpu, 0x51), 1);
  for (int i = 0; i < 4; ++i) report.expect("read", read_counter(k, e), 1);
  report.expect("read", read_counter(k, e), fails(Errno::eagain));
}

void k13(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("A: assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("A: DEASSIGN", deassign(k, t.a.fd, t.e, 24), 0);
  report.expect("write 2", write_counter(k, t.e, 2), 8);
  report.expect("IRR of A", requested(k, t.a.vcpu, 0x51), 0);
  report.expect("B: assign", irqfd(k, t.b.fd, t.e, 24), 0);
  report.expect("IRR of B", requested_soon(k, t.b.vcpu, 0x61), 1);
}

void k14(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("A: assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("B: assign", irqfd(k, t.b.fd, t.e, 24), fails(Errno::ebusy));
  report.expect("close A", k.close(t.a.fd), 0);
  report.expect("write 4", write_counter(k, t.e, 4), 8);
  report.expect("B: assign", irqfd(k, t.b.fd, t.e, 24), 0);
  report.expect("IRR of B", requested_soon(k, t.b.vcpu, 0x61), 1);
  report.expect("IRR of A, through its vCPU", requested(k, t.a.vcpu, 0x51), 0);
  report.expect("read", read_counter(k, t.e), 4);
}

void k15(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("assign", irqfd(k, t.a.fd, t.e, 30), 0);
  report.expect("write 1", write_counter(k, t.e, 1), 8);
  settle(k);
  report.expect("read", read_counter(k, t.e), fails(Errno::eagain));
  report.expect("add a route", route_messages(k, t.a.fd, 8, 24, 0x51), 0);
  settle(k);
  report.expect("IRR", requested(k, t.a.vcpu, 0x57), 0);
  report.expect("write 1", write_counter(k, t.e, 1), 8);
  report.expect("IRR", requested_soon(k, t.a.vcpu, 0x57), 1);
}

void k16(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("assign", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("another vector", route_messages(k, t.a.fd, 1, 24, 0x71), 0);
  report.expect("write 1", write_counter(k, t.e, 1), 8);
  report.expect("the new one", requested_soon(k, t.a.vcpu, 0x71), 1);
  report.expect("the old one", requested(k, t.a.vcpu, 0x51), 0);
  report.expect("no routes", set_routes(k, t.a.fd, {}), 0);
  report.expect("clear", reset_lapic(k, t.a.vcpu), 0);
  report.expect("write 1", write_counter(k, t.e, 1), 8);
  settle(k);
  report.expect("IRR", requested(k, t.a.vcpu, 0x71), 0);
  report.expect("read", read_counter(k, t.e), fails(Errno::eagain));
}

void k17(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("one eventfd", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("another of the same GSI", irqfd(k, t.a.fd, t.e2, 24), 0);
  report.expect("write to one", write_counter(k, t.e, 1), 8);
  report.expect("IRR", requested_soon(k, t.a.vcpu, 0x51), 1);
  report.expect("clear", reset_lapic(k, t.a.vcpu), 0);
  report.expect("DEASSIGN it", deassign(k, t.a.fd, t.e, 24), 0);
  report.expect("write to it", write_counter(k, t.e, 1), 8);
  settle(k);
  report.expect("IRR", requested(k, t.a.vcpu, 0x51), 0);
  report.expect("its count stays", read_counter(k, t.e), 1);
  report.expect("write to the other", write_counter(k, t.e2, 1), 8);
  report.expect("IRR", requested_soon(k, t.a.vcpu, 0x51), 1);
}

void k18_before(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  os::abi::kvm_create_device device{.type = os::abi::kvm_dev_type_vfio};
  report.expect("CREATE_DEVICE", ioctl(k, t.a.fd, request::kvm_create_device, &device), 0);
  world.in_child(
      [&](World& child, Report& of_child) {
        os::Kernel& c = child.kernel();
        of_child.expect("child: IRQFD", irqfd(c, t.a.fd, t.e, 24), fails(Errno::eio));
        of_child.expect("child: no such ioctl", ioctl_number(c, t.a.fd, 0x1234), fails(Errno::eio));
        of_child.expect("child: no argument", ioctl<void>(c, t.a.fd, request::kvm_irqfd, nullptr), fails(Errno::eio));
        of_child.expect("child: vCPU", requested(c, t.a.vcpu, 0x51), fails(Errno::eio));
        of_child.expect("child: KVM device", ioctl_number(c, static_cast<int>(device.fd), 0x1234), fails(Errno::eio));
        of_child.expect("child: a VM of its own", make_bare_vm(c) >= 0, 1);
      },
      report);
  report.expect("parent: IRQFD", irqfd(k, t.a.fd, t.e, 24), 0);
  report.expect("kept", k.fcntl(t.a.fd, abi::f_dupfd, kKept), kKept);
  report.expect("the counter", k.fcntl(t.e2, abi::f_dupfd, kCounter), kCounter);
}

void k18_after(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  report.expect("IRQFD", irqfd(k, kKept, kCounter, 25), fails(Errno::eio));
  report.expect("no such ioctl", ioctl_number(k, kKept, 0x1234), fails(Errno::eio));
}

void k19(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  const auto create = [&](std::uint32_t type, std::uint32_t flags, int* fd) {
    os::abi::kvm_create_device device{.type = type, .fd = 0, .flags = flags};
    const Outcome done = ioctl(k, t.a.fd, request::kvm_create_device, &device);
    if (fd != nullptr) *fd = static_cast<int>(device.fd);
    return done;
  };
  constexpr std::uint32_t kVfio = os::abi::kvm_dev_type_vfio;
  int d = -1;
  report.expect("TEST", create(kVfio, os::abi::kvm_create_device_test, nullptr), 0);
  report.expect("CREATE_DEVICE", create(kVfio, 0, &d), 0);
  report.expect("close-on-exec", k.fcntl(d, abi::f_getfd, 0), abi::fd_cloexec);
  report.expect("second", create(kVfio, 0, nullptr), fails(Errno::ebusy));
  const auto attr = [&](std::uint64_t request, std::uint32_t group, std::uint64_t number, std::int32_t fd) {
    os::abi::kvm_device_attr argument{
        .flags = 0, .group = group, .attr = number, .addr = reinterpret_cast<std::uintptr_t>(&fd)};
    return ioctl(k, d, request, &argument);
  };
  constexpr std::uint64_t kSet = request::kvm_set_device_attr;
  report.expect("FILE_ADD eventfd", attr(kSet, 1, 1, t.e), fails(Errno::einval));
  report.expect("FILE_ADD VM", attr(kSet, 1, 1, t.a.fd), fails(Errno::einval));
  report.expect("FILE_ADD -1", attr(kSet, 1, 1, -1), fails(Errno::ebadf));
  report.expect("FILE_DEL eventfd", attr(kSet, 1, 2, t.e), fails(Errno::enoent));
  report.expect("FILE_DEL -1", attr(kSet, 1, 2, -1), fails(Errno::ebadf));
  report.expect("attr 9", attr(kSet, 1, 9, t.e), fails(Errno::enxio));
  report.expect("group 9", attr(kSet, 9, 1, t.e), fails(Errno::enxio));
  os::abi::kvm_device_attr nowhere{.group = 1, .attr = 1};
  report.expect("no descriptor", ioctl(k, d, kSet, &nowhere), fails(Errno::efault));
  report.expect("no argument", ioctl<void>(k, d, kSet, nullptr), fails(Errno::efault));
  report.expect("HAS_ATTR", attr(request::kvm_has_device_attr, 1, 2, 0), 0);
  report.expect("HAS_ATTR 9", attr(request::kvm_has_device_attr, 1, 9, 0), fails(Errno::enxio));
  report.expect("GET_ATTR", attr(request::kvm_get_device_attr, 1, 1, 0), fails(Errno::eperm));
  report.expect("unknown", ioctl_number(k, d, 0x1234), fails(Errno::enotty));
  report.expect("close", k.close(d), 0);
  report.expect("CREATE_DEVICE", create(kVfio, 0, nullptr), 0);
  report.expect("type 999", create(999, 0, nullptr), fails(Errno::enodev));
  report.expect("TEST of type 999", create(999, os::abi::kvm_create_device_test, nullptr), fails(Errno::enodev));
}

void k20(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  report.expect("to vCPU 0", signal_msi(k, t.a.fd, 0xfee00000, 0x52), 1);
  report.expect("IRR", requested(k, t.a.vcpu, 0x52), 1);
  report.expect("again", signal_msi(k, t.a.fd, 0xfee00000, 0x52), 1);
  report.expect("to an absent one", signal_msi(k, t.a.fd, 0xfee07000, 0x52), 0);
  report.expect("flags 2", signal_msi(k, t.a.fd, 0xfee00000, 0x52, 2), fails(Errno::einval));
  report.expect("VALID_DEVID", signal_msi(k, t.a.fd, 0xfee00000, 0x53, os::abi::kvm_msi_valid_devid), 1);
}

void k22(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const TwoVms t(k);
  const Vm a(k);
  report.expect("assign RESAMPLE", irqfd(k, a.fd, t.e, 5, kResample, t.e2), 0);
  report.expect("write 1", write_counter(k, t.e, 1), 8);
  settle(k);
  report.expect("consumed", read_counter(k, t.e), fails(Errno::eagain));
  report.expect("line high", ioapic_of(k, a.fd).irr >> 5 & 1, 1);
  report.expect("EBUSY leaves the line", irqfd(k, a.fd, t.e, 5, kResample, t.e2), fails(Errno::ebusy));
  report.expect("line high", ioapic_of(k, a.fd).irr >> 5 & 1, 1);
  report.expect("not resampled yet", read_counter(k, t.e2), fails(Errno::eagain));
  report.expect("DEASSIGN", deassign(k, a.fd, t.e, 5), 0);
  report.expect("line low", ioapic_of(k, a.fd).irr >> 5 & 1, 0);
  report.expect("nor by DEASSIGN", read_counter(k, t.e2), fails(Errno::eagain));
}

constexpr std::array kCases = {
    Case{"K01", "a VM without irqchip", Feature::kvm, k01},
    Case{"K02", "one irqchip a VM", Feature::kvm, k02},
    Case{"K03", "the split irqchip has no pins", Feature::kvm, k03},
    Case{"K04", "bad arguments of IRQFD", Feature::kvm, k04},
    Case{"K05", "an eventfd has one irqfd", Feature::kvm, k05},
    Case{"K06", "a count at assign injects and stays", Feature::kvm, k06},
    Case{"K07", "a signal on an irqfd is consumed", Feature::kvm, k07},
    Case{"K08", "what an assign left goes with the next signal", Feature::kvm, k08},
    Case{"K09", "DEASSIGN drains", Feature::kvm, k09},
    Case{"K10", "DEASSIGN drains one of a semaphore", Feature::kvm, k10},
    Case{"K11", "writing 0 injects", Feature::kvm, k11},
    Case{"K12", "a signal takes one from a semaphore", Feature::kvm, k12},
    Case{"K13", "hand-over between VMs", Feature::kvm, k13},
    Case{"K14", "the last close of the VM frees its irqfds", Feature::kvm, k14},
    Case{"K15", "a GSI without route swallows", Feature::kvm, k15},
    Case{"K16", "new routes count at once", Feature::kvm, k16},
    Case{"K17", "several eventfds on one GSI", Feature::kvm, k17},
    Case{"K18", "only the mm that made a VM may call it", Feature::kvm, k18_before, k18_after},
    Case{"K19", "the KVM-VFIO device", Feature::kvm, k19},
    Case{"K20", "SIGNAL_MSI", Feature::kvm, k20},
    Case{"K22", "a resampler holds the line", Feature::kvm, k22},
};

}  // namespace

std::span<const Case> kvm_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
