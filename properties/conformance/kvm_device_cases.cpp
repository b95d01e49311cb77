// KVM and VFIO together: a device's trigger on an irqfd, and the files that the KVM-VFIO device holds.
#include <cstring>

#include "properties/conformance/kvm_steps.hpp"

namespace vcpr::conformance {

namespace {

/// The first edu, open through its group.
struct OpenDevice {
  explicit OpenDevice(World& world) : type1(world) {
    fd = static_cast<int>(get_device_fd(world.kernel(), type1.group, type1.device.address));
  }
  Type1Container type1;
  int fd = -1;
};

/// SET_IRQS of vector 0 of MSI: to an eventfd, or -1 for an interrupt by software.
Outcome trigger_msi(os::Kernel& k, int device, int eventfd) {
  const bool sets = eventfd >= 0;
  std::array<std::byte, sizeof(abi::vfio_irq_set) + sizeof eventfd> buffer{};
  abi::vfio_irq_set header{};
  header.argsz = static_cast<std::uint32_t>(buffer.size());
  header.flags =
      abi::vfio_irq_set_action_trigger | (sets ? abi::vfio_irq_set_data_eventfd : abi::vfio_irq_set_data_none);
  header.index = abi::vfio_pci_msi_irq_index;
  header.count = 1;
  std::memcpy(buffer.data(), &header, sizeof header);
  std::memcpy(buffer.data() + sizeof header, &eventfd, sizeof eventfd);
  return ioctl(k, device, request::vfio_device_set_irqs, buffer.data());
}

void r10(World& world, Report& report) {
  if (!world.has(Feature::kvm)) return;
  os::Kernel& k = world.kernel();
  const OpenDevice d(world);
  const Vm a(k);
  const int e = make_eventfd(k, 0);
  report.expect("route", route_messages(k, a.fd, 1, 24, 0x51), 0);
  report.expect("trigger", trigger_msi(k, d.fd, e), 0);
  report.expect("IRQFD", irqfd(k, a.fd, e, 24), 0);
  report.expect("loopback", trigger_msi(k, d.fd, -1), 0);
  report.expect("IRR", requested_soon(k, a.vcpu, 0x51), 1);
  report.expect("read", read_counter(k, e), fails(Errno::eagain));
  report.expect("DEASSIGN", deassign(k, a.fd, e, 24), 0);
  for (int i = 0; i < 2; ++i) report.expect("loopback", trigger_msi(k, d.fd, -1), 0);
  report.expect("read", read_counter(k, e), 2);
}

Outcome link_file(os::Kernel& k, int kvm_device, std::uint64_t attribute, std::int32_t fd) {
  os::abi::kvm_device_attr attr{.flags = 0,
                                .group = os::abi::kvm_dev_vfio_file,
                                .attr = attribute,
                                .addr = reinterpret_cast<std::uintptr_t>(&fd)};
  return ioctl(k, kvm_device, request::kvm_set_device_attr, &attr);
}

void k40(World& world, Report& report) {
  if (!world.has(Feature::kvm)) return;
  os::Kernel& k = world.kernel();
  const OpenDevice d(world);
  const Vm a(k);
  os::abi::kvm_create_device device{.type = os::abi::kvm_dev_type_vfio};
  report.expect("CREATE_DEVICE", ioctl(k, a.fd, request::kvm_create_device, &device), 0);
  const auto link = static_cast<int>(device.fd);
  constexpr std::uint64_t kAdd = os::abi::kvm_dev_vfio_file_add;
  constexpr std::uint64_t kDelete = os::abi::kvm_dev_vfio_file_del;
  const int copy = k.fcntl(d.type1.group, abi::f_dupfd, 0).value_or(-1);
  report.expect("FILE_ADD container", link_file(k, link, kAdd, d.type1.container), fails(Errno::einval));
  report.expect("FILE_ADD group", link_file(k, link, kAdd, d.type1.group), 0);
  report.expect("a duplicate is the same file", link_file(k, link, kAdd, copy), fails(Errno::eexist));
  report.expect("FILE_DEL by the duplicate", link_file(k, link, kDelete, copy), 0);
  report.expect("FILE_DEL again", link_file(k, link, kDelete, d.type1.group), fails(Errno::enoent));
  report.expect("FILE_ADD group", link_file(k, link, kAdd, d.type1.group), 0);
  report.expect("close", k.close(d.fd), 0);
  report.expect("close", k.close(copy), 0);
  report.expect("close", k.close(d.type1.group), 0);
  report.expect("the group is still open", open_group(world, d.type1.device), fails(Errno::ebusy));
  report.expect("close the link", k.close(link), 0);
  report.expect("now it can be opened", open_group(world, d.type1.device) >= 0, 1);
}

constexpr std::array kCases = {
    Case{"R10", "an irqfd consumes a device's trigger", Feature::vfio_devices, r10},
    Case{"K40", "the KVM-VFIO device keeps files open", Feature::vfio_devices, k40},
};

}  // namespace

std::span<const Case> kvm_device_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
