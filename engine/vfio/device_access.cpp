// What is asked of an open device: its shape, its regions, its interrupts, its reset.
#include <cstring>
#include <vector>

#include "engine/os/abi/vfio.hpp"
#include "engine/vfio/device.hpp"
#include "engine/vfio/ioctl.hpp"

namespace vcpr::vfio {

namespace abi = os::abi;

namespace {

std::string_view name_of(IrqIndex index) {
  constexpr std::array<std::string_view, kIrqIndices> kNames{"INTx", "MSI", "MSI-X", "ERR", "REQ"};
  return kNames[static_cast<std::size_t>(index)];
}

}  // namespace

Expected<void> Device::ask() {
  abi::vfio_device_info info;
  info.argsz = sizeof info;
  Expected<int> asked = call(vm_.life.kernel, fd_, abi::request::vfio_device_get_info, &info,
                             {"VFIO_DEVICE_GET_INFO of device ", config_.name});
  if (!asked) return std::unexpected(std::move(asked.error()));
  if ((info.flags & abi::vfio_device_flags_pci) == 0 || info.num_regions < kRegions)
    return refuse(ErrorCode::bad_value, {"device ", config_.name, ": is no PCI device"});
  flags_ = info.flags;
  for (std::uint32_t index = 0; index < kRegions; ++index)
    if (Expected<void> done = ask_region(index); !done) return done;
  for (std::uint32_t index = 0; index < kIrqIndices && index < info.num_irqs; ++index)
    if (Expected<void> done = ask_irq(index); !done) return done;
  return {};
}

Expected<void> Device::ask_region(std::uint32_t index) {
  abi::vfio_region_info info;
  info.argsz = sizeof info;
  info.index = index;
  Expected<int> asked = call(vm_.life.kernel, fd_, abi::request::vfio_device_get_region_info, &info,
                             {"VFIO_DEVICE_GET_REGION_INFO ", Decimal(index), " of device ", config_.name});
  if (!asked) return std::unexpected(std::move(asked.error()));
  regions_[index] = {info.size, info.offset, info.flags};
  return {};
}

/// EINVAL: the device has no such interrupt (ERR of a conventional function).
Expected<void> Device::ask_irq(std::uint32_t index) {
  abi::vfio_irq_info info;
  info.argsz = sizeof info;
  info.index = index;
  Expected<int> asked = call(vm_.life.kernel, fd_, abi::request::vfio_device_get_irq_info, &info,
                             {"VFIO_DEVICE_GET_IRQ_INFO ", Decimal(index), " of device ", config_.name});
  if (!asked && asked.error().os != os::Errno::einval) return std::unexpected(std::move(asked.error()));
  if (asked) irqs_[index] = info;
  return {};
}

Expected<void> Device::check_access(std::uint32_t region, std::uint64_t offset, std::uint64_t bytes) const {
  if (region < kRegions && offset <= regions_[region].size && bytes <= regions_[region].size - offset) return {};
  return refuse(ErrorCode::bad_value, {"device ", config_.name, ": ", Decimal(bytes), " bytes at ", Decimal(offset),
                                       " lie outside region ", Decimal(region)});
}

Expected<void> Device::read(std::uint32_t region, std::uint64_t offset, std::span<std::byte> bytes) {
  if (Expected<void> checked = check_access(region, offset, bytes.size()); !checked) return checked;
  os::Result<std::size_t> got = vm_.life.kernel.pread(fd_, bytes, regions_[region].offset + offset);
  if (got && *got == bytes.size()) return {};
  return refuse_os(got ? os::Errno::eio : got.error(),
                   {"pread of region ", Decimal(region), " of device ", config_.name, " at ", Decimal(offset)});
}

Expected<void> Device::write(std::uint32_t region, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (Expected<void> checked = check_access(region, offset, bytes.size()); !checked) return checked;
  os::Result<std::size_t> put = vm_.life.kernel.pwrite(fd_, bytes, regions_[region].offset + offset);
  if (put && *put == bytes.size()) return {};
  return refuse_os(put ? os::Errno::eio : put.error(),
                   {"pwrite of region ", Decimal(region), " of device ", config_.name, " at ", Decimal(offset)});
}

Expected<void> Device::set_irqs(IrqIndex index, std::uint32_t flags, std::uint32_t start, std::uint32_t count,
                                std::span<const std::int32_t> eventfds, std::string_view what) {
  abi::vfio_irq_set header{static_cast<std::uint32_t>(sizeof header + eventfds.size_bytes()), flags,
                           static_cast<std::uint32_t>(index), start, count};
  std::vector<std::byte> argument(header.argsz);
  std::memcpy(argument.data(), &header, sizeof header);
  if (!eventfds.empty()) std::memcpy(argument.data() + sizeof header, eventfds.data(), eventfds.size_bytes());
  Expected<int> done = call(vm_.life.kernel, fd_, abi::request::vfio_device_set_irqs, argument.data(),
                            {"VFIO_DEVICE_SET_IRQS of device ", config_.name, ": ", what, " ", name_of(index)});
  if (!done) return std::unexpected(std::move(done.error()));
  if (*done == 0) return {};
  return refuse_os(os::Errno::enospc, {"VFIO_DEVICE_SET_IRQS of device ", config_.name, ": ", what, " ", name_of(index),
                                       ": only ", Decimal(*done), " vectors are to be had"});
}

Expected<void> Device::set_triggers(IrqIndex index, std::uint32_t start, std::span<const std::int32_t> eventfds) {
  return set_irqs(index, abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_trigger, start,
                  static_cast<std::uint32_t>(eventfds.size()), eventfds, "trigger");
}

Expected<void> Device::disable_irqs(IrqIndex index) {
  return set_irqs(index, abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_trigger, 0, 0, {}, "disable");
}

Expected<void> Device::mask(IrqIndex index, std::uint32_t vector) {
  return set_irqs(index, abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_mask, vector, 1, {}, "mask");
}

Expected<void> Device::unmask(IrqIndex index, std::uint32_t vector) {
  return set_irqs(index, abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_unmask, vector, 1, {}, "unmask");
}

Expected<void> Device::set_unmask_eventfd(IrqIndex index, std::uint32_t vector, std::int32_t eventfd) {
  return set_irqs(index, abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_unmask, vector, 1, {&eventfd, 1},
                  "unmask by eventfd");
}

Expected<void> Device::reset() {
  if (Expected<void> ours = vm_.life.check_ours("reset of device " + config_.name); !ours) return ours;
  Expected<int> done = call(vm_.life.kernel, fd_, abi::request::vfio_device_reset, nullptr,
                            {"VFIO_DEVICE_RESET of device ", config_.name});
  if (!done) return std::unexpected(std::move(done.error()));
  return {};
}

}  // namespace vcpr::vfio
