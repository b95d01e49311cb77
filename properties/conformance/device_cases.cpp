// VFIO device files: info, interrupts, reset, BAR mappings. What the devices raise is in interrupt_cases.cpp.
#include <array>
#include <vector>

#include "properties/conformance/device_steps.hpp"

namespace vcpr::conformance {

namespace {

using machine::DeviceModel;
namespace request = abi::request;

void r01(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  report.expect("INTx flags", d.irq_info(kIntx).flags, 7);
  report.expect("INTx count", d.irq_info(kIntx).count, 1);
  report.expect("MSI flags", d.irq_info(kMsi).flags, 9);
  report.expect("MSI count", d.irq_info(kMsi).count, 1);
  report.expect("MSI-X flags", d.irq_info(kMsix).flags, 1);
  report.expect("MSI-X count", d.irq_info(kMsix).count, 10);
  report.expect("ERR flags", d.irq_info(kErr).flags, 9);
  report.expect("ERR count", d.irq_info(kErr).count, 1);
  report.expect("REQ flags", d.irq_info(kReq).flags, 9);
  report.expect("REQ count", d.irq_info(kReq).count, 1);
  report.expect("index 5", d.irq_info(5).flags, kInvalid);
  abi::vfio_irq_info small{12, 0, 0, 0};
  report.expect("argsz 12", d.k.ioctl(d.fd, request::vfio_device_get_irq_info, &small), kInvalid);
  report.expect("null", d.k.ioctl(d.fd, request::vfio_device_get_irq_info, nullptr), fails(Errno::efault));
}

void r02(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const int e = make_eventfd(d.k, 0);
  report.expect("no DATA", d.irqs(kMsix, kTrigger, 0, 1), kInvalid);
  report.expect("two DATA", d.irqs(kMsix, kNone | kFds | kTrigger, 0, 1, {e}), kInvalid);
  report.expect("no ACTION", d.irqs(kMsix, kFds, 0, 1, {e}), fails(Errno::enotty));
  report.expect("two ACTIONs", d.irqs(kMsix, kFds | kTrigger | kUnmask, 0, 1, {e}), fails(Errno::enotty));
  report.expect("MSI-X MASK", d.irqs(kMsix, kNone | kMask, 0, 1), fails(Errno::enotty));
  report.expect("index 5", d.irqs(5, kFds | kTrigger, 0, 1, {e}), kInvalid);
  report.expect("flag 64", d.irqs(kMsix, kFds | kTrigger | 64, 0, 1, {e}), kInvalid);
  report.expect("start 4000", d.irqs(kMsix, kFds | kTrigger, 4000, 1, {e}), kInvalid);
  report.expect("start + count beyond", d.irqs(kMsix, kNone | kTrigger, 9, 2), kInvalid);
  report.expect("start + count wraps", d.irqs(kMsix, kNone | kTrigger, 2, 0xffff'ffff), kInvalid);
  report.expect("short payload", d.irqs(kMsix, kFds | kTrigger, 0, 1), kInvalid);
  abi::vfio_irq_set set{16, kNone | kTrigger, kMsix, 0, 0};
  report.expect("argsz 16", d.k.ioctl(d.fd, request::vfio_device_set_irqs, &set), kInvalid);
  report.expect("null", d.k.ioctl(d.fd, request::vfio_device_set_irqs, nullptr), fails(Errno::efault));
  report.expect("INTx UNMASK when off", d.irqs(kIntx, kNone | kUnmask, 0, 1), kInvalid);
  report.expect("INTx MASK EVENTFD when off", d.irqs(kIntx, kFds | kMask, 0, 1, {e}), kInvalid);
  report.expect("MSI-X disable when off", d.irqs(kMsix, kNone | kTrigger, 0, 0), kInvalid);
  report.expect("INTx disable when off", d.irqs(kIntx, kNone | kTrigger, 0, 0), kInvalid);
  report.expect("MSI-X loopback when off", d.irqs(kMsix, kNone | kTrigger, 0, 1), kInvalid);
  report.expect("MSI-X EVENTFD start 0 count 0", d.irqs(kMsix, kFds | kTrigger, 0, 0), fails(Errno::erange));
}

void r03(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const std::array e{make_eventfd(d.k, 0), make_eventfd(d.k, 0), make_eventfd(d.k, 0)};
  report.expect("EVENTFD 0..1", d.irqs(kMsix, kFds | kTrigger, 0, 2, {e[0], e[1]}), 0);
  report.expect("loopback 0..1", d.irqs(kMsix, kNone | kTrigger, 0, 2), 0);
  report.expect("e0", read_counter(d.k, e[0]), 1);
  report.expect("e1", read_counter(d.k, e[1]), 1);
  report.expect("BOOL {0,1}", d.bools(kMsix, kTrigger, 0, {0, 1}), 0);
  report.expect("e0", read_counter(d.k, e[0]), kAgain);
  report.expect("e1", read_counter(d.k, e[1]), 1);
  report.expect("MSI enable", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e[0]}), kInvalid);
  report.expect("INTx enable", d.irqs(kIntx, kFds | kTrigger, 0, 1, {e[0]}), kInvalid);
  report.expect("MSI disable", d.irqs(kMsi, kNone | kTrigger, 0, 0), kInvalid);
  report.expect("fd -1 on 0", d.irqs(kMsix, kFds | kTrigger, 0, 1, {-1}), 0);
  report.expect("loopback 0..1", d.irqs(kMsix, kNone | kTrigger, 0, 2), 0);
  report.expect("e0", read_counter(d.k, e[0]), kAgain);
  report.expect("e1", read_counter(d.k, e[1]), 1);
  report.expect("grow: vector 3", d.irqs(kMsix, kFds | kTrigger, 3, 1, {e[2]}), 0);
  report.expect("loopback 3", d.irqs(kMsix, kNone | kTrigger, 3, 1), 0);
  report.expect("e2", read_counter(d.k, e[2]), 1);
  report.expect("one eventfd on 2 and 3", d.irqs(kMsix, kFds | kTrigger, 2, 2, {e[2], e[2]}), 0);
  report.expect("EVENTFD count 0", d.irqs(kMsix, kFds | kTrigger, 0, 0), 0);
  report.expect("disable", d.irqs(kMsix, kNone | kTrigger, 0, 0), 0);
  report.expect("disable", d.irqs(kMsix, kNone | kTrigger, 0, 0), kInvalid);
}

void r04(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const std::array e{make_eventfd(d.k, 0), make_eventfd(d.k, 0), make_eventfd(d.k, 0), make_eventfd(d.k, 0)};
  report.expect("EVENTFD 0..3", d.irqs(kMsix, kFds | kTrigger, 0, 4, {e[0], e[1], e[2], e[3]}), 0);
  report.expect("a bad fd in 1..2", d.irqs(kMsix, kFds | kTrigger, 1, 2, {e[1], 999}), fails(Errno::ebadf));
  report.expect("loopback 0..3", d.irqs(kMsix, kNone | kTrigger, 0, 4), 0);
  report.expect("before the block", read_counter(d.k, e[0]), 1);
  report.expect("set in the same call", read_counter(d.k, e[1]), kAgain);
  report.expect("where it failed", read_counter(d.k, e[2]), kAgain);
  report.expect("behind the block", read_counter(d.k, e[3]), 1);
  report.expect("no eventfd", d.irqs(kMsix, kFds | kTrigger, 3, 1, {d.container}), kInvalid);
  report.expect("loopback 3", d.irqs(kMsix, kNone | kTrigger, 3, 1), 0);
  report.expect("the old trigger is lost too", read_counter(d.k, e[3]), kAgain);
}

void r05(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const int e = make_eventfd(d.k, 0);
  report.expect("EVENTFD {e,999}", d.irqs(kMsix, kFds | kTrigger, 0, 2, {e, 999}), fails(Errno::ebadf));
  report.expect("MSI enable", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("MSI vector 1", d.irqs(kMsi, kFds | kTrigger, 1, 1, {e}), kInvalid);
  report.expect("MSI disable", d.irqs(kMsi, kNone | kTrigger, 0, 0), 0);
  report.expect("vectors without triggers", d.irqs(kMsix, kFds | kTrigger, 3, 0), 0);
  report.expect("loopback of none", d.irqs(kMsix, kNone | kTrigger, 0, 4), 0);
  report.expect("BOOL count 0", d.bools(kMsix, kTrigger, 0, {}), 0);
  report.expect("any negative fd", d.irqs(kMsix, kFds | kTrigger, 0, 1, {-7}), 0);
}

void r07(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const int e = make_eventfd(d.k, 0);
  const int e2 = make_eventfd(d.k, 0);
  const int u = make_eventfd(d.k, 0);
  report.expect("EVENTFD e", d.irqs(kIntx, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("loopback", d.irqs(kIntx, kNone | kTrigger, 0, 1), 0);
  report.expect("e", read_counter(d.k, e), 1);
  report.expect("swap to e2", d.irqs(kIntx, kFds | kTrigger, 0, 1, {e2}), 0);
  report.expect("loopback", d.irqs(kIntx, kNone | kTrigger, 0, 1), 0);
  report.expect("e", read_counter(d.k, e), kAgain);
  report.expect("e2", read_counter(d.k, e2), 1);
  report.expect("bad fd", d.irqs(kIntx, kFds | kTrigger, 0, 1, {999}), fails(Errno::ebadf));
  report.expect("loopback", d.bools(kIntx, kTrigger, 0, {1}), 0);
  report.expect("the old trigger is kept", read_counter(d.k, e2), 1);
  report.expect("MASK", d.irqs(kIntx, kNone | kMask, 0, 1), 0);
  report.expect("UNMASK", d.irqs(kIntx, kNone | kUnmask, 0, 1), 0);
  report.expect("MASK EVENTFD", d.irqs(kIntx, kFds | kMask, 0, 1, {u}), fails(Errno::enotty));
  report.expect("UNMASK EVENTFD u", d.irqs(kIntx, kFds | kUnmask, 0, 1, {u}), 0);
  report.expect("again", d.irqs(kIntx, kFds | kUnmask, 0, 1, {u}), fails(Errno::ebusy));
  report.expect("bad fd comes before", d.irqs(kIntx, kFds | kUnmask, 0, 1, {999}), fails(Errno::ebadf));
  report.expect("write u", write_counter(d.k, u, 1), 8);
  report.expect("u is consumed", read_counter(d.k, u), kAgain);
  report.expect("UNMASK EVENTFD -1", d.irqs(kIntx, kFds | kUnmask, 0, 1, {-1}), 0);
  report.expect("-1 again", d.irqs(kIntx, kFds | kUnmask, 0, 1, {-1}), 0);
  report.expect("write u", write_counter(d.k, u, 2), 8);
  report.expect("UNMASK EVENTFD u with count 2", d.irqs(kIntx, kFds | kUnmask, 0, 1, {u}), 0);
  report.expect("u is not consumed", read_counter(d.k, u), 2);
  report.expect("fd -1", d.irqs(kIntx, kFds | kTrigger, 0, 1, {-1}), 0);
  report.expect("still on: MSI enable", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e}), kInvalid);
  report.expect("disable", d.irqs(kIntx, kNone | kTrigger, 0, 0), 0);
  report.expect("fd -1 when off enables", d.irqs(kIntx, kFds | kTrigger, 0, 1, {-1}), 0);
  report.expect("UNMASK", d.irqs(kIntx, kNone | kUnmask, 0, 1), 0);
  report.expect("disable", d.irqs(kIntx, kNone | kTrigger, 0, 0), 0);
}

void single_trigger(const OpenDevice& d, Report& report, std::uint32_t index) {
  const int e = make_eventfd(d.k, 0);
  report.expect("NONE count 1, unset", d.irqs(index, kNone | kTrigger, 0, 1), kInvalid);
  report.expect("NONE count 0, unset", d.irqs(index, kNone | kTrigger, 0, 0), kInvalid);
  report.expect("EVENTFD -1, unset", d.irqs(index, kFds | kTrigger, 0, 1, {-1}), 0);
  report.expect("EVENTFD -2", d.irqs(index, kFds | kTrigger, 0, 1, {-2}), kInvalid);
  report.expect("EVENTFD count 0", d.irqs(index, kFds | kTrigger, 0, 0), kInvalid);
  report.expect("BOOL count 0", d.bools(index, kTrigger, 0, {}), kInvalid);
  report.expect("BOOL 1, unset", d.bools(index, kTrigger, 0, {1}), 0);
  report.expect("EVENTFD e", d.irqs(index, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("bad fd", d.irqs(index, kFds | kTrigger, 0, 1, {999}), fails(Errno::ebadf));
  report.expect("NONE count 1", d.irqs(index, kNone | kTrigger, 0, 1), 0);
  report.expect("e", read_counter(d.k, e), 1);
  report.expect("UNMASK", d.irqs(index, kNone | kUnmask, 0, 1), fails(Errno::enotty));
  report.expect("NONE count 0", d.irqs(index, kNone | kTrigger, 0, 0), 0);
  report.expect("NONE count 1", d.irqs(index, kNone | kTrigger, 0, 1), kInvalid);
}

void r08(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  single_trigger(d, report, kErr);
  single_trigger(d, report, kReq);
}

void r11(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const int e = make_eventfd(d.k, 0);
  report.expect("MSI-X", d.irqs(kMsix, kFds | kTrigger, 0, 2, {e, -1}), 0);
  report.expect("REQ", d.irqs(kReq, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("RESET", d.k.ioctl(d.fd, request::vfio_device_reset, nullptr), 0);
  report.expect("MSI-X loopback", d.irqs(kMsix, kNone | kTrigger, 0, 1), 0);
  report.expect("REQ loopback", d.irqs(kReq, kNone | kTrigger, 0, 1), 0);
  report.expect("e", read_counter(d.k, e), 2);
  const OpenDevice edu(world, DeviceModel::edu);
  report.expect("edu has no reset", edu.k.ioctl(edu.fd, request::vfio_device_reset, nullptr), kInvalid);
}

void r12(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const auto reset = [&](std::uint32_t argsz, std::uint32_t flags, std::uint32_t count) {
    abi::vfio_pci_hot_reset argument{argsz, flags, count};
    return d.k.ioctl(d.fd, request::vfio_device_pci_hot_reset, &argument);
  };
  report.expect("count 0, opened through a group", reset(12, 0, 0), kInvalid);
  report.expect("flags 1", reset(12, 1, 1), kInvalid);
  report.expect("argsz 8", reset(8, 0, 1), kInvalid);
  report.expect("count 1 on a root bus", reset(12, 0, 1), fails(Errno::enodev));
  abi::vfio_pci_hot_reset_info info{12, 0, 0};
  report.expect("INFO", d.k.ioctl(d.fd, request::vfio_device_get_pci_hot_reset_info, &info), fails(Errno::enodev));
  info.argsz = 8;
  report.expect("INFO argsz 8", d.k.ioctl(d.fd, request::vfio_device_get_pci_hot_reset_info, &info), kInvalid);
}

void x01(World& world, Report& report) {
  OpenDevice d(world, DeviceModel::igb);
  abi::vfio_region_info info;
  report.expect("BAR 0", d.region_info(info), 0);
  report.expect("offset", static_cast<Outcome>(info.offset), 0);
  constexpr int kReadWrite = abi::prot_read | abi::prot_write;
  report.expect("mmap private", d.k.mmap(os::UserAddr(), kPage, kReadWrite, abi::map_private, d.fd, 0), kInvalid);
  report.expect("mmap beyond", d.k.mmap(os::UserAddr(), kPage, kReadWrite, abi::map_shared, d.fd, info.size), kInvalid);
  report.expect("mmap config", d.k.mmap(os::UserAddr(), kPage, kReadWrite, abi::map_shared, d.fd, kConfig), kInvalid);
  const auto mapped = d.k.mmap(os::UserAddr(), kPage, kReadWrite, abi::map_shared, d.fd, 0);
  report.expect("mmap", mapped, 0);
  const int fds[] = {d.fd, d.group};
  close_all(d.k, fds);
  report.expect("open group", d.reopen_group(), fails(Errno::ebusy));
  report.expect("munmap", d.k.munmap(mapped.value_or(os::UserAddr()), kPage), 0);
  report.expect("open group", d.reopen_group() >= 0, 1);
}

constexpr std::array kCases = {
    Case{"R01", "GET_IRQ_INFO", Feature::vfio_devices, r01},
    Case{"R02", "SET_IRQS: what is refused", Feature::vfio_devices, r02},
    Case{"R03", "MSI-X", Feature::vfio_devices, r03},
    Case{"R04", "an error takes the whole block away", Feature::vfio_devices, r04},
    Case{"R05", "a bad fd leaves the mode off", Feature::vfio_devices, r05},
    Case{"R07", "INTx", Feature::vfio_devices, r07},
    Case{"R08", "ERR and REQ", Feature::vfio_devices, r08},
    Case{"R11", "RESET keeps triggers", Feature::vfio_devices, r11},
    Case{"R12", "hot reset on a root bus", Feature::vfio_devices, r12},
    Case{"X01", "a BAR mapping keeps the device open", Feature::vfio_devices, x01},
};

}  // namespace

std::span<const Case> device_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
