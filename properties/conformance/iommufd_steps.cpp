#include "properties/conformance/iommufd_steps.hpp"

namespace vcpr::conformance {

namespace request = abi::request;

namespace {

Outcome value_or_error(Outcome result, std::uint64_t value) {
  return result < 0 ? result : static_cast<Outcome>(value);
}

Outcome change_option(os::Kernel& kernel, int iommufd, abi::iommu_option option) {
  option.size = sizeof option;
  const Outcome done = call(kernel, iommufd, request::iommu_option, option);
  return value_or_error(done, option.val64);
}

}  // namespace

int open_iommu(os::Kernel& kernel) {
  return kernel.open("/dev/iommu", abi::o_rdwr | abi::o_cloexec).value_or(-1);
}

Outcome alloc_ioas(os::Kernel& kernel, int iommufd, std::uint32_t flags) {
  abi::iommu_ioas_alloc argument{sizeof argument, flags, 0};
  const Outcome done = call(kernel, iommufd, request::iommu_ioas_alloc, argument);
  return value_or_error(done, argument.out_ioas_id);
}

Outcome destroy_object(os::Kernel& kernel, int iommufd, std::uint32_t id) {
  abi::iommu_destroy argument{sizeof argument, id};
  return call(kernel, iommufd, request::iommu_destroy, argument);
}

Outcome map_memory(os::Kernel& kernel, int iommufd, const MapStep& step) {
  abi::iommu_ioas_map argument{sizeof argument, step.flags, step.ioas, 0, step.address, step.length, step.iova};
  return call(kernel, iommufd, request::iommu_ioas_map, argument);
}

Outcome map_anywhere(os::Kernel& kernel, int iommufd, std::uint32_t ioas, std::uint64_t address, std::uint64_t length) {
  abi::iommu_ioas_map argument{sizeof argument, kReadWrite, ioas, 0, address, length, 0};
  const Outcome done = call(kernel, iommufd, request::iommu_ioas_map, argument);
  return value_or_error(done, argument.iova);
}

Outcome map_file(os::Kernel& kernel, int iommufd, int fd, const MapStep& step) {
  abi::iommu_ioas_map_file argument{sizeof argument, step.flags, step.ioas, fd, step.address, step.length, step.iova};
  return call(kernel, iommufd, request::iommu_ioas_map_file, argument);
}

Outcome unmap_memory(os::Kernel& kernel, int iommufd, std::uint32_t ioas, std::uint64_t iova, std::uint64_t length) {
  abi::iommu_ioas_unmap argument{sizeof argument, ioas, iova, length};
  const Outcome done = call(kernel, iommufd, request::iommu_ioas_unmap, argument);
  return value_or_error(done, argument.length);
}

Outcome change_process(os::Kernel& kernel, int iommufd, std::uint32_t reserved) {
  abi::iommu_ioas_change_process argument{sizeof argument, reserved};
  return call(kernel, iommufd, request::iommu_ioas_change_process, argument);
}

Outcome get_option(os::Kernel& kernel, int iommufd, std::uint32_t option, std::uint32_t object) {
  return change_option(kernel, iommufd, {0, option, abi::iommu_option_op_get, 0, object, 9});
}

Outcome set_option(os::Kernel& kernel, int iommufd, std::uint32_t option, std::uint32_t object, std::uint64_t value) {
  return change_option(kernel, iommufd, {0, option, abi::iommu_option_op_set, 0, object, value});
}

Outcome alloc_fault_queue(os::Kernel& kernel, int iommufd, int& fd) {
  abi::iommu_fault_alloc argument{sizeof argument, 0, 0, 0};
  const Outcome done = call(kernel, iommufd, request::iommu_fault_queue_alloc, argument);
  fd = static_cast<int>(argument.out_fault_fd);
  return value_or_error(done, argument.out_fault_id);
}

int open_cdev(World& world, unsigned index, machine::DeviceModel model) {
  return world.kernel().open(world.device(model, index).cdev.c_str(), abi::o_rdwr | abi::o_cloexec).value_or(-1);
}

Outcome bind_device(os::Kernel& kernel, int device, int iommufd) {
  abi::vfio_device_bind_iommufd argument{sizeof argument, 0, iommufd, 0, 0};
  const Outcome done = call(kernel, device, request::vfio_device_bind_iommufd, argument);
  return value_or_error(done, argument.out_devid);
}

Outcome attach_device(os::Kernel& kernel, int device, std::uint32_t id) {
  abi::vfio_device_attach_iommufd_pt argument{sizeof argument, 0, id, 0};
  const Outcome done = call(kernel, device, request::vfio_device_attach_iommufd_pt, argument);
  return value_or_error(done, argument.pt_id);
}

Outcome detach_device(os::Kernel& kernel, int device) {
  abi::vfio_device_detach_iommufd_pt argument{sizeof argument, 0, 0};
  return call(kernel, device, request::vfio_device_detach_iommufd_pt, argument);
}

Outcome alloc_hwpt(os::Kernel& kernel, int iommufd, const HwptStep& step) {
  abi::iommu_hwpt_alloc argument{sizeof argument, step.flags,      step.device, step.target, 0, step.reserved,
                                 step.data_type,  step.data_bytes, 0,           step.faults, 0};
  const Outcome done = call(kernel, iommufd, request::iommu_hwpt_alloc, argument);
  return value_or_error(done, argument.out_hwpt_id);
}

int make_memfd(os::Kernel& kernel, std::uint64_t pages) {
  const int fd = kernel.memfd_create("guest", abi::mfd_allow_sealing).value_or(-1);
  (void)kernel.ftruncate(fd, pages * kPage);
  return fd;
}

std::uint64_t map_anonymous(os::Kernel& kernel, std::uint64_t pages) {
  const auto address = kernel.mmap(os::UserAddr(), pages * kPage, abi::prot_read | abi::prot_write,
                                   abi::map_private | abi::map_anonymous, -1, 0);
  return address ? address->value() : 0;
}

}  // namespace vcpr::conformance
