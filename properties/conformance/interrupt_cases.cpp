// What devices really raise: line and message interrupts by register writes, DMA, and where config space matters.
#include <array>
#include <string>

#include "properties/conformance/device_steps.hpp"

namespace vcpr::conformance {

namespace {

using machine::DeviceModel;
namespace request = abi::request;

constexpr std::uint16_t kMemory = 0x2;
constexpr std::uint16_t kMaster = 0x4;
constexpr std::uint16_t kNoIntx = 0x400;

// edu (docs/specs/edu.rst of QEMU)
constexpr std::uint64_t kEduCauses = 0x24;
constexpr std::uint64_t kEduRaise = 0x60;
constexpr std::uint64_t kEduAcknowledge = 0x64;
constexpr std::uint64_t kEduSource = 0x80;
constexpr std::uint64_t kEduDestination = 0x88;
constexpr std::uint64_t kEduCount = 0x90;
constexpr std::uint64_t kEduCommand = 0x98;
constexpr std::uint64_t kEduBuffer = 0x40000;

// 82576
constexpr std::uint64_t kGpie = 0x1514;
constexpr std::uint64_t kEics = 0x1520;
constexpr std::uint64_t kEims = 0x1524;
constexpr std::uint64_t kEiac = 0x152c;

void q01(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::edu);
  const int e = make_eventfd(d.k, 0);
  report.expect("enable", d.irqs(kIntx, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("e: the first", await_counter(d.k, e), 1);
  report.expect("causes", d.read_register(kEduCauses), 1);
  report.expect("raise again: masked", d.write_register(kEduRaise, 2), 4);
  report.expect("e: nothing while masked", read_counter(d.k, e), kAgain);
  report.expect("UNMASK with the line still up", d.irqs(kIntx, kNone | kUnmask, 0, 1), 0);
  report.expect("e: at once, still up", await_counter(d.k, e), 1);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 3), 4);
  report.expect("UNMASK", d.irqs(kIntx, kNone | kUnmask, 0, 1), 0);
  report.expect("e: nothing after the acknowledge", read_counter(d.k, e), kAgain);
  report.expect("raise", d.write_register(kEduRaise, 4), 4);
  report.expect("e: the next", await_counter(d.k, e), 1);
  report.expect("disable", d.irqs(kIntx, kNone | kTrigger, 0, 0), 0);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 4), 4);
  report.expect("enable with the line down", d.irqs(kIntx, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("e: nothing at the enable", read_counter(d.k, e), kAgain);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("e: it is on again", await_counter(d.k, e), 1);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 1), 4);
}

void q02(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::edu);
  const int e = make_eventfd(d.k, 0);
  const int u = make_eventfd(d.k, 0);
  report.expect("enable without a trigger", d.irqs(kIntx, kFds | kTrigger, 0, 1, {-1}), 0);
  report.expect("raise: nobody hears it", d.write_register(kEduRaise, 1), 4);
  report.expect("trigger e", d.irqs(kIntx, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("e", read_counter(d.k, e), kAgain);
  report.expect("UNMASK EVENTFD u", d.irqs(kIntx, kFds | kUnmask, 0, 1, {u}), 0);
  report.expect("write u", write_counter(d.k, u, 1), 8);
  report.expect("the level is still there", await_counter(d.k, e), 1);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 1), 4);
  report.expect("write u", write_counter(d.k, u, 1), 8);
  report.expect("u is consumed", read_counter(d.k, u), kAgain);
  report.expect("e", read_counter(d.k, e), kAgain);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("e", await_counter(d.k, e), 1);
  report.expect("close u", d.k.close(u), 0);
  report.expect("its virqfd went with it", d.irqs(kIntx, kFds | kUnmask, 0, 1, {make_eventfd(d.k, 0)}), 0);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 1), 4);
}

void q03(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::edu);
  const int e = make_eventfd(d.k, 0);
  report.expect("enable", d.irqs(kIntx, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("set DisINTx", d.set_command(kNoIntx), 2);
  report.expect("loopback", d.irqs(kIntx, kNone | kTrigger, 0, 1), 0);
  report.expect("is suppressed", read_counter(d.k, e), kAgain);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("UNMASK", d.irqs(kIntx, kNone | kUnmask, 0, 1), 0);
  report.expect("e", read_counter(d.k, e), kAgain);
  report.expect("clear DisINTx", d.set_command(0, kNoIntx), 2);
  report.expect("e", await_counter(d.k, e), 1);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 1), 4);
}

void q04(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::edu);
  const int e = make_eventfd(d.k, 0);
  report.expect("bus master", d.set_command(kMaster), 2);
  report.expect("MSI", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("e", await_counter(d.k, e), 1);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("two signals, one event", await_counter(d.k, e), 2);
  report.expect("trigger off", d.irqs(kMsi, kFds | kTrigger, 0, 1, {-1}), 0);
  report.expect("raise in the gap", d.write_register(kEduRaise, 1), 4);
  report.expect("trigger on", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("it is lost", read_counter(d.k, e), kAgain);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 1), 4);
}

void q10(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::edu);
  const int e = make_eventfd(d.k, 0);
  report.expect("bus master", d.set_command(kMaster), 2);
  report.expect("MSI without a trigger", d.irqs(kMsi, kFds | kTrigger, 0, 1, {-1}), 0);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("first trigger", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("one was kept", await_counter(d.k, e), 1);
  report.expect("MSI off", d.irqs(kMsi, kNone | kTrigger, 0, 0), 0);
  report.expect("MSI without a trigger", d.irqs(kMsi, kFds | kTrigger, 0, 1, {-1}), 0);
  report.expect("raise", d.write_register(kEduRaise, 1), 4);
  report.expect("MSI off", d.irqs(kMsi, kNone | kTrigger, 0, 0), 0);
  report.expect("MSI", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("it went with the mode", read_counter(d.k, e), kAgain);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 1), 4);
}

void q11(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const int e = make_eventfd(d.k, 0);
  report.expect("bus master", d.set_command(kMaster), 2);
  report.expect("GPIE", d.write_register(kGpie, 0x10), 4);
  report.expect("EIAC", d.write_register(kEiac, 0x3ff), 4);
  report.expect("EIMS", d.write_register(kEims, 0x3ff), 4);
  report.expect("EICS 0", d.write_register(kEics, 1), 4);
  report.expect("MSI-X", d.irqs(kMsix, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("it was pending", await_counter(d.k, e), 1);
}

void q05(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  const std::array e{make_eventfd(d.k, 0), make_eventfd(d.k, 0), make_eventfd(d.k, 0)};
  report.expect("bus master", d.set_command(kMaster), 2);
  report.expect("MSI-X", d.irqs(kMsix, kFds | kTrigger, 0, 3, {e[0], e[1], e[2]}), 0);
  report.expect("GPIE", d.write_register(kGpie, 0x10), 4);
  report.expect("EIAC", d.write_register(kEiac, 0x3ff), 4);
  report.expect("EIMS", d.write_register(kEims, 0x3ff), 4);
  report.expect("EICS 1", d.write_register(kEics, 2), 4);
  report.expect("e1", await_counter(d.k, e[1]), 1);
  report.expect("EICS 0 and 2", d.write_register(kEics, 5), 4);
  report.expect("e0", await_counter(d.k, e[0]), 1);
  report.expect("e2", await_counter(d.k, e[2]), 1);
  report.expect("trigger 2 off", d.irqs(kMsix, kFds | kTrigger, 2, 1, {-1}), 0);
  report.expect("EICS 2", d.write_register(kEics, 4), 4);
  report.expect("e2", read_counter(d.k, e[2]), kAgain);
  report.expect("trigger 2 on", d.irqs(kMsix, kFds | kTrigger, 2, 1, {e[2]}), 0);
  report.expect("it was pending", await_counter(d.k, e[2]), 1);
}

void q06(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::edu);
  abi::vfio_device_info info{sizeof info};
  report.expect("GET_INFO", d.k.ioctl(d.fd, request::vfio_device_get_info, &info), 0);
  report.expect("flags: PCI, no RESET", static_cast<Outcome>(info.flags), abi::vfio_device_flags_pci);
  report.expect("regions", static_cast<Outcome>(info.num_regions), abi::vfio_pci_num_regions);
  report.expect("irqs", static_cast<Outcome>(info.num_irqs), abi::vfio_pci_num_irqs);
  info.argsz = 15;
  report.expect("argsz 15", d.k.ioctl(d.fd, request::vfio_device_get_info, &info), kInvalid);
  report.expect("MSI-X count", d.irq_info(kMsix).count, 0);
  report.expect("ERR without PCIe", d.irq_info(kErr).count, kInvalid);
  report.expect("SET_IRQS on ERR", d.irqs(kErr, kFds | kTrigger, 0, 1, {-1}), kInvalid);
  abi::vfio_region_info region;
  report.expect("BAR 0", d.region_info(region), 0);
  report.expect("1 MiB", static_cast<Outcome>(region.size), 1 << 20);
  report.expect("flags", static_cast<Outcome>(region.flags), 7);
  region.index = 1;
  report.expect("BAR 1", d.region_info(region), 0);
  report.expect("is not there", static_cast<Outcome>(region.size | region.flags), 0);
  region.index = abi::vfio_pci_config_region_index;
  report.expect("config", d.region_info(region), 0);
  report.expect("256 bytes", static_cast<Outcome>(region.size), 256);
  report.expect("at", region.offset == kConfig, 1);
  region.index = abi::vfio_pci_vga_region_index;
  report.expect("no VGA", d.region_info(region), kInvalid);
  region.index = 200;
  report.expect("index 200", d.region_info(region), kInvalid);
  report.expect("unknown ioctl", d.k.ioctl(d.fd, 0x3bff, nullptr), fails(Errno::enotty));
}

void q07(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::igb);
  report.expect("ids", d.read_register(kConfig), 0x10c9'8086);
  report.expect("config beyond", d.read_register(kConfig + 4096), fails(Errno::efault));
  report.expect("config across the end", d.read_register(kConfig + 4094), fails(Errno::efault));
  report.expect("BAR beyond", d.read_register(0x20000), kInvalid);
  report.expect("no such BAR", d.read_register(std::uint64_t{4} << 40), kInvalid);
  report.expect("region 12", d.read_register(std::uint64_t{12} << 40), kInvalid);
  report.expect("vector table", d.read_register(std::uint64_t{3} << 40), 0xffff'ffff);
  report.expect("memory off", d.set_command(0, kMemory), 2);
  report.expect("BAR read", d.read_register(kGpie), fails(Errno::eio));
  report.expect("BAR write", d.write_register(kGpie, 0), fails(Errno::eio));
  report.expect("memory on", d.set_command(kMemory), 2);
  report.expect("BAR write", d.write_register(kGpie, 0), 4);
  struct {
    abi::vfio_region_info info{sizeof(abi::vfio_region_info) + 8, 0, 3};
    abi::vfio_info_cap_header capability;
  } bar;
  report.expect("MSI-X BAR", d.k.ioctl(d.fd, request::vfio_device_get_region_info, &bar), 0);
  report.expect("has capabilities", static_cast<Outcome>(bar.info.flags), 0xf);
  report.expect("at", static_cast<Outcome>(bar.info.cap_offset), sizeof bar.info);
  report.expect("mappable", bar.capability.id, abi::vfio_region_info_cap_msix_mappable);
  bar.info = {sizeof bar.info, 0, 3};
  report.expect("without room", d.k.ioctl(d.fd, request::vfio_device_get_region_info, &bar), 0);
  report.expect("argsz is raised", static_cast<Outcome>(bar.info.argsz), sizeof bar.info + 8);
  report.expect("cap_offset", static_cast<Outcome>(bar.info.cap_offset), 0);
}

Outcome run_engine(const OpenDevice& d, std::uint64_t source, std::uint64_t destination, std::uint64_t command) {
  (void)d.write_register_wide(kEduSource, source);
  (void)d.write_register_wide(kEduDestination, destination);
  (void)d.write_register_wide(kEduCount, 16);
  return d.write_register_wide(kEduCommand, command);
}

void q08(World& world, Report& report) {
  const OpenDevice d(world, DeviceModel::edu);
  const int e = make_eventfd(d.k, 0);
  constexpr int kReadWrite = abi::prot_read | abi::prot_write;
  const auto memory = d.k.mmap(os::UserAddr(), kPage, kReadWrite, abi::map_private | abi::map_anonymous, -1, 0);
  const os::UserAddr at = memory.value_or(os::UserAddr());
  const std::string_view text = "sixteen bytes go";
  report.expect("store", world.store(at, std::as_bytes(std::span(text))), 1);
  constexpr std::uint64_t kIova = 0x100000;
  abi::vfio_iommu_type1_dma_map map{sizeof map, 3, at.value(), kIova, kPage};
  report.expect("MAP_DMA", d.k.ioctl(d.container, request::vfio_iommu_map_dma, &map), 0);
  report.expect("bus master", d.set_command(kMaster), 2);
  report.expect("MSI", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("from memory", run_engine(d, kIova, kEduBuffer, 1 | 4), 8);
  report.expect("not yet", read_counter(d.k, e), kAgain);
  report.expect("the end", await_counter(d.k, e), 1);
  report.expect("cause", d.read_register(kEduCauses), 0x100);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 0x100), 4);
  report.expect("to memory", run_engine(d, kEduBuffer, kIova + 64, 1 | 2 | 4), 8);
  report.expect("the end", await_counter(d.k, e), 1);
  std::string seen(text.size(), '-');
  report.expect("load", world.load(at + 64, std::as_writable_bytes(std::span(seen))), 1);
  report.expect("the same bytes", seen == text, 1);
  report.expect("acknowledge", d.write_register(kEduAcknowledge, 0x100), 4);
}

void q09(World& world, Report& report) {
  OpenDevice d(world, DeviceModel::edu);
  const int e = make_eventfd(d.k, 0);
  const auto second = static_cast<int>(d.get(d.group));
  report.expect("MSI", d.irqs(kMsi, kFds | kTrigger, 0, 1, {e}), 0);
  report.expect("DisINTx and bus master", d.set_command(kNoIntx | kMaster), 2);
  report.expect("close one of two", d.k.close(d.fd), 0);
  d.fd = second;
  report.expect("loopback", d.irqs(kMsi, kNone | kTrigger, 0, 1), 0);
  report.expect("e", read_counter(d.k, e), 1);
  report.expect("last close", d.k.close(d.fd), 0);
  d.fd = static_cast<int>(d.get(d.group));
  report.expect("the mode is off", d.irqs(kMsi, kNone | kTrigger, 0, 1), kInvalid);
  report.expect("command", d.read_register(kConfig + kCommandRegister) & (kNoIntx | kMaster), 0);
}

constexpr std::array kCases = {
    Case{"Q01", "a level interrupt masks itself", Feature::vfio_devices, q01},
    Case{"Q02", "a level nobody hears stays", Feature::vfio_devices, q02},
    Case{"Q03", "DisINTx is virtual", Feature::vfio_devices, q03},
    Case{"Q04", "MSI by a register", Feature::vfio_devices, q04},
    Case{"Q05", "MSI-X by a register, pending behind a mask", Feature::vfio_devices, q05},
    Case{"Q06", "a conventional device without reset", Feature::vfio_devices, q06},
    Case{"Q07", "config space and BARs", Feature::vfio_devices, q07},
    Case{"Q08", "DMA through the container", Feature::vfio_devices, q08},
    Case{"Q09", "the last close forgets interrupts", Feature::vfio_devices, q09},
    Case{"Q10", "MSI before its first trigger", Feature::vfio_devices, q10},
    Case{"Q11", "MSI-X vectors raised before MSI-X is on", Feature::vfio_devices, q11},
};

}  // namespace

std::span<const Case> interrupt_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
