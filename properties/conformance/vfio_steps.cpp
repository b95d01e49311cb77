#include "properties/conformance/vfio_steps.hpp"

namespace vcpr::conformance {

Outcome ioctl_number(os::Kernel& kernel, int fd, std::uint64_t request, std::uint64_t number) {
  return outcome(kernel.ioctl(fd, request, reinterpret_cast<void*>(static_cast<std::uintptr_t>(number))));
}

int open_container(os::Kernel& kernel) {
  return kernel.open("/dev/vfio/vfio", abi::o_rdwr | abi::o_cloexec).value_or(-1);
}

Outcome open_group(World& world, const HostDevice& device) {
  return outcome(world.kernel().open(device.group.c_str(), abi::o_rdwr | abi::o_cloexec));
}

Outcome set_container(os::Kernel& kernel, int group, int container) {
  std::int32_t fd = container;
  return outcome(kernel.ioctl(group, request::vfio_group_set_container, &fd));
}

Outcome group_status(os::Kernel& kernel, int group) {
  abi::vfio_group_status status{sizeof status, 0};
  const auto done = kernel.ioctl(group, request::vfio_group_get_status, &status);
  return done ? status.flags : fails(done.error());
}

Outcome get_device_fd(os::Kernel& kernel, int group, const std::string& name) {
  return outcome(kernel.ioctl(group, request::vfio_group_get_device_fd, std::string(name).data()));
}

os::UserAddr make_memory(os::Kernel& kernel) {
  constexpr int kReadWrite = abi::prot_read | abi::prot_write;
  const auto mapped = kernel.mmap(os::UserAddr(), 64 * kPage, kReadWrite, abi::map_private | abi::map_anonymous, -1, 0);
  return mapped.value_or(os::UserAddr());
}

Outcome map_dma(os::Kernel& kernel, int container, std::uint64_t iova, os::UserAddr vaddr, std::uint64_t size,
                std::uint32_t flags) {
  abi::vfio_iommu_type1_dma_map map{sizeof map, flags, vaddr.value(), iova, size};
  return outcome(kernel.ioctl(container, request::vfio_iommu_map_dma, &map));
}

Outcome unmap_dma(os::Kernel& kernel, int container, std::uint64_t iova, std::uint64_t size, std::uint32_t flags) {
  abi::vfio_iommu_type1_dma_unmap unmap{sizeof unmap, flags, iova, size};
  const auto done = kernel.ioctl(container, request::vfio_iommu_unmap_dma, &unmap);
  return done ? static_cast<Outcome>(unmap.size) : fails(done.error());
}

Type1Container::Type1Container(World& world, std::uint32_t type)
    : device(world.device(machine::DeviceModel::edu)),
      container(open_container(world.kernel())),
      group(static_cast<int>(open_group(world, device))) {
  (void)set_container(world.kernel(), group, container);
  (void)ioctl_number(world.kernel(), container, request::vfio_set_iommu, type);
}

}  // namespace vcpr::conformance
