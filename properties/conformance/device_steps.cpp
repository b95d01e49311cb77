#include "properties/conformance/device_steps.hpp"

#include <array>
#include <cstring>

namespace vcpr::conformance {

namespace {

/// The header and its data in one piece, as the ioctl takes them.
template <class Element>
Outcome set_irqs(os::Kernel& kernel, int fd, abi::vfio_irq_set header, std::span<const Element> data) {
  std::array<std::byte, sizeof(abi::vfio_irq_set) + 64> argument{};
  header.argsz = static_cast<std::uint32_t>(sizeof header + data.size_bytes());
  std::memcpy(argument.data(), &header, sizeof header);
  if (!data.empty()) std::memcpy(argument.data() + sizeof header, data.data(), data.size_bytes());
  return outcome(kernel.ioctl(fd, abi::request::vfio_device_set_irqs, argument.data()));
}

constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

OpenDevice::OpenDevice(World& of, machine::DeviceModel model, unsigned index)
    : world(of), k(of.kernel()), host(of.device(model, index)) {
  container = k.open("/dev/vfio/vfio", abi::o_rdwr | abi::o_cloexec).value_or(-1);
  group = static_cast<int>(reopen_group());
  (void)k.ioctl(group, abi::request::vfio_group_set_container, &container);
  (void)k.ioctl(container, abi::request::vfio_set_iommu,
                reinterpret_cast<void*>(std::uintptr_t{abi::vfio_type1v2_iommu}));
  fd = static_cast<int>(get(group));
}

Outcome OpenDevice::get(int group_fd) {
  return outcome(k.ioctl(group_fd, abi::request::vfio_group_get_device_fd, host.address.data()));
}

Outcome OpenDevice::reopen_group() {
  return outcome(k.open(host.group.c_str(), abi::o_rdwr | abi::o_cloexec));
}

Outcome OpenDevice::irqs(std::uint32_t index, std::uint32_t flags, std::uint32_t start, std::uint32_t count,
                         std::initializer_list<int> fds) const {
  return set_irqs(k, fd, {0, flags, index, start, count}, std::span<const int>(fds.begin(), fds.size()));
}

Outcome OpenDevice::bools(std::uint32_t index, std::uint32_t flags, std::uint32_t start,
                          std::initializer_list<std::uint8_t> values) const {
  return set_irqs(k, fd, {0, flags | kBool, index, start, static_cast<std::uint32_t>(values.size())},
                  std::span<const std::uint8_t>(values.begin(), values.size()));
}

OpenDevice::IrqInfo OpenDevice::irq_info(std::uint32_t index) const {
  abi::vfio_irq_info info{sizeof info, 0, index, 0};
  const Outcome got = outcome(k.ioctl(fd, abi::request::vfio_device_get_irq_info, &info));
  return got < 0 ? IrqInfo{got, got} : IrqInfo{info.flags, info.count};
}

Outcome OpenDevice::region_info(abi::vfio_region_info& info) const {
  info.argsz = sizeof info;
  return outcome(k.ioctl(fd, abi::request::vfio_device_get_region_info, &info));
}

Outcome OpenDevice::write_register(std::uint64_t offset, std::uint32_t value) const {
  return outcome(k.pwrite(fd, std::as_bytes(std::span(&value, 1)), offset));
}

Outcome OpenDevice::write_register_wide(std::uint64_t offset, std::uint64_t value) const {
  return outcome(k.pwrite(fd, std::as_bytes(std::span(&value, 1)), offset));
}

Outcome OpenDevice::read_register(std::uint64_t offset) const {
  std::uint32_t value = 0;
  const auto count = k.pread(fd, std::as_writable_bytes(std::span(&value, 1)), offset);
  return count ? Outcome{value} : fails(count.error());
}

Outcome OpenDevice::set_command(std::uint16_t set, std::uint16_t clear) const {
  std::uint16_t command = 0;
  (void)k.pread(fd, std::as_writable_bytes(std::span(&command, 1)), kConfig + kCommandRegister);
  command = static_cast<std::uint16_t>((command | set) & ~clear);
  return outcome(k.pwrite(fd, std::as_bytes(std::span(&command, 1)), kConfig + kCommandRegister));
}

Outcome await_counter(os::Kernel& kernel, int eventfd) {
  os::PollFd wanted{eventfd, abi::pollin, 0};
  (void)kernel.poll({&wanted, 1}, {kernel.now() + kSecond});
  return read_counter(kernel, eventfd);
}

}  // namespace vcpr::conformance
