// VFIO containers, groups and device descriptors: who attaches to what, and what keeps what alive.
#include <array>

#include "properties/conformance/vfio_steps.hpp"

namespace vcpr::conformance {

namespace {

using machine::DeviceModel;
constexpr std::uint32_t kViable = abi::vfio_group_flags_viable;
constexpr std::uint32_t kSet = abi::vfio_group_flags_container_set;
constexpr std::uint64_t kIova = 0x100000;
constexpr auto kCheckExtension = request::vfio_check_extension;

Outcome set_iommu(os::Kernel& kernel, int container, std::uint64_t type) {
  return ioctl_number(kernel, container, request::vfio_set_iommu, type);
}
Outcome unset_container(os::Kernel& kernel, int group) {
  return ioctl_number(kernel, group, request::vfio_group_unset_container);
}
/// Of MSI 0, as loopback: the trigger's eventfd counts.
Outcome trigger_msi(os::Kernel& kernel, int device) {
  abi::vfio_irq_set set{sizeof set, abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_trigger,
                        abi::vfio_pci_msi_irq_index, 0, 1};
  return outcome(kernel.ioctl(device, request::vfio_device_set_irqs, &set));
}
Outcome enable_msi(os::Kernel& kernel, int device, int eventfd) {
  struct {
    abi::vfio_irq_set set;
    std::int32_t fd;
  } argument{};
  argument.set = {sizeof argument, abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_trigger,
                  abi::vfio_pci_msi_irq_index, 0, 1};
  argument.fd = eventfd;
  return outcome(kernel.ioctl(device, request::vfio_device_set_irqs, &argument));
}
Outcome device_info(os::Kernel& kernel, int device) {
  abi::vfio_device_info info;
  info.argsz = sizeof info;
  return outcome(kernel.ioctl(device, request::vfio_device_get_info, &info));
}
/// 1: a descriptor.
Outcome is_descriptor(Outcome got) {
  return got >= 0 ? 1 : got;
}

void before_attachment(World& world, Report& report, int c, int g) {
  os::Kernel& k = world.kernel();
  const HostDevice device = world.device(DeviceModel::edu);
  report.expect("GET_API_VERSION", ioctl_number(k, c, request::vfio_get_api_version), 0);
  report.expect("CHECK_EXTENSION UNMAP_ALL", ioctl_number(k, c, kCheckExtension, abi::vfio_unmap_all), 1);
  report.expect("CHECK_EXTENSION UPDATE_VADDR", ioctl_number(k, c, kCheckExtension, abi::vfio_update_vaddr), 0);
  report.expect("CHECK_EXTENSION DMA_CC", ioctl_number(k, c, kCheckExtension, abi::vfio_dma_cc_iommu), 0);
  report.expect("CHECK_EXTENSION 77", ioctl_number(k, c, kCheckExtension, 77), 0);
  report.expect("SET_IOMMU 3", set_iommu(k, c, 3), fails(Errno::einval));
  report.expect("MAP_DMA", map_dma(k, c, kIova, os::UserAddr(kPage), kPage), fails(Errno::einval));
  report.expect("open group again", open_group(world, device), fails(Errno::ebusy));
  report.expect("GET_STATUS", group_status(k, g), kViable);
  report.expect("GET_DEVICE_FD", get_device_fd(k, g, device.address), fails(Errno::einval));
  report.expect("GET_DEVICE_FD unknown", get_device_fd(k, g, "ffff:1f.9"), fails(Errno::enodev));
  report.expect("UNSET_CONTAINER", unset_container(k, g), fails(Errno::einval));
  report.expect("SET_CONTAINER -1", set_container(k, g, -1), fails(Errno::ebadf));
  report.expect("SET_CONTAINER eventfd", set_container(k, g, make_eventfd(k, 0)), fails(Errno::ebadfd));
}

void v01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const HostDevice device = world.device(DeviceModel::edu);
  const int c = open_container(k);
  const int g = static_cast<int>(open_group(world, device));
  before_attachment(world, report, c, g);
  report.expect("SET_CONTAINER c", set_container(k, g, c), 0);
  report.expect("GET_STATUS", group_status(k, g), kViable | kSet);
  report.expect("SET_CONTAINER c", set_container(k, g, c), fails(Errno::einval));
  report.expect("GET_DEVICE_FD", get_device_fd(k, g, device.address), fails(Errno::einval));
  report.expect("SET_IOMMU 999", set_iommu(k, c, 999), fails(Errno::enodev));
  report.expect("SET_IOMMU 6", set_iommu(k, c, 6), fails(Errno::enodev));
  report.expect("SET_IOMMU 3", set_iommu(k, c, 3), 0);
  report.expect("SET_IOMMU 3", set_iommu(k, c, 3), fails(Errno::einval));
  report.expect("CHECK_EXTENSION UPDATE_VADDR", ioctl_number(k, c, kCheckExtension, abi::vfio_update_vaddr), 1);
  report.expect("unknown ioctl", ioctl_number(k, c, 0x3bff), fails(Errno::enotty));
  report.expect("unknown ioctl of the group", ioctl_number(k, g, 0x3bff), fails(Errno::enotty));
  const auto d = static_cast<int>(get_device_fd(k, g, device.address));
  report.expect("GET_DEVICE_FD", is_descriptor(d), 1);
  report.expect("FD_CLOEXEC", k.fcntl(d, abi::f_getfd, 0), abi::fd_cloexec);
  report.expect("UNSET_CONTAINER", unset_container(k, g), fails(Errno::ebusy));
  abi::vfio_device_attach_iommufd_pt attach{sizeof attach, 0, 1, 0};
  report.expect("ATTACH_IOMMUFD_PT", k.ioctl(d, request::vfio_device_attach_iommufd_pt, &attach), fails(Errno::enotty));
}

void v02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Type1Container vfio(world);
  const auto memory = make_memory(k);
  const auto d = static_cast<int>(get_device_fd(k, vfio.group, vfio.device.address));
  report.expect("MAP", map_dma(k, vfio.container, kIova, memory, kPage), 0);
  (void)k.close(vfio.group);
  report.expect("open group", open_group(world, vfio.device), fails(Errno::ebusy));
  report.expect("GET_INFO on d", device_info(k, d), 0);
  report.expect("UNMAP", unmap_dma(k, vfio.container, kIova, kPage), kPage);
  (void)k.close(d);
  report.expect("open group", is_descriptor(open_group(world, vfio.device)), 1);
  report.expect("MAP_DMA without a driver", map_dma(k, vfio.container, kIova, memory, kPage), fails(Errno::einval));
}

void v04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Type1Container vfio(world);
  const auto one = static_cast<int>(get_device_fd(k, vfio.group, vfio.device.address));
  const auto two = static_cast<int>(get_device_fd(k, vfio.group, vfio.device.address));
  report.expect("GET_DEVICE_FD again", is_descriptor(two), 1);
  const int e = make_eventfd(k, 0);
  report.expect("enable MSI", enable_msi(k, one, e), 0);
  report.expect("loopback through the other", trigger_msi(k, two), 0);
  report.expect("count", read_counter(k, e), 1);
  (void)k.close(one);
  report.expect("loopback, the first one closed", trigger_msi(k, two), 0);
  report.expect("count", read_counter(k, e), 1);
}

void v05(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Type1Container vfio(world);
  const int g = vfio.group;
  const auto address = vfio.device.address;
  report.expect("a bad pointer", k.ioctl(g, request::vfio_group_get_device_fd, nullptr), fails(Errno::efault));
  report.expect("longer than a page", get_device_fd(k, g, std::string(5000, 'x')), fails(Errno::einval));
  report.expect("a name as long as a page", get_device_fd(k, g, std::string(4095, 'x')), fails(Errno::enodev));
  report.expect("empty", get_device_fd(k, g, ""), fails(Errno::enodev));
  report.expect("more after the address", get_device_fd(k, g, address + "0"), fails(Errno::enodev));
  report.expect("an unknown option", get_device_fd(k, g, address + " x"), fails(Errno::einval));
  report.expect("a short token", get_device_fd(k, g, address + " vf_token=1"), fails(Errno::einval));
  report.expect("a token nobody asked for",
                get_device_fd(k, g, address + " vf_token=00112233-4455-6677-8899-aabbccddeeff"), fails(Errno::einval));
  report.expect("only spaces", is_descriptor(get_device_fd(k, g, address + "  ")), 1);
  const auto other = world.device(DeviceModel::edu, 1);
  report.expect("of another group", get_device_fd(k, g, other.address), fails(Errno::enodev));
}

void v06(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Type1Container vfio(world);
  const auto memory = make_memory(k);
  report.expect("MAP", map_dma(k, vfio.container, kIova, memory, kPage), 0);
  report.expect("UNSET_CONTAINER", unset_container(k, vfio.group), 0);
  report.expect("GET_STATUS", group_status(k, vfio.group), kViable);
  report.expect("the type is forgotten", unmap_dma(k, vfio.container, kIova, kPage), fails(Errno::einval));
  report.expect("and the charge", static_cast<Outcome>(world.locked_kib()), 0);
  report.expect("SET_CONTAINER again", set_container(k, vfio.group, vfio.container), 0);
  report.expect("SET_IOMMU 1", set_iommu(k, vfio.container, 1), 0);
  report.expect("the mapping is gone", unmap_dma(k, vfio.container, kIova, kPage), 0);
  (void)k.close(vfio.container);
  report.expect("a closed container", is_descriptor(get_device_fd(k, vfio.group, vfio.device.address)), 1);
}

void v07(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Type1Container vfio(world);
  abi::vfio_group_status status{4, 0};
  const auto get_status = request::vfio_group_get_status;
  report.expect("GET_STATUS, argsz 4", k.ioctl(vfio.group, get_status, &status), fails(Errno::einval));
  report.expect("GET_STATUS, null", k.ioctl(vfio.group, get_status, nullptr), fails(Errno::efault));
  report.expect("SET_CONTAINER, null", k.ioctl(vfio.group, request::vfio_group_set_container, nullptr),
                fails(Errno::efault));
  const auto other = static_cast<int>(open_group(world, world.device(DeviceModel::edu, 1)));
  report.expect("a second group", set_container(k, other, vfio.container), 0);
  (void)k.close(vfio.group);
  report.expect("the container lives on", unmap_dma(k, vfio.container, 0, 0, kUnmapAll), 0);
  (void)k.close(other);
  report.expect("until the last one leaves", unmap_dma(k, vfio.container, 0, 0, kUnmapAll), fails(Errno::einval));
}

constexpr std::array kCases = {
    Case{"V01", "a fresh container and group", Feature::vfio_devices, v01},
    Case{"V02", "a device keeps group and container alive", Feature::vfio_devices, v02},
    Case{"V04", "the same device twice", Feature::vfio_devices, v04},
    Case{"V05", "names of GET_DEVICE_FD", Feature::vfio_devices, v05},
    Case{"V06", "the last group takes the mappings along", Feature::vfio_devices, v06},
    Case{"V07", "bad arguments, two groups", Feature::vfio_devices, v07},
};

}  // namespace

std::span<const Case> container_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
