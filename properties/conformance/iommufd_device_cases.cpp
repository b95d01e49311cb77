// iommufd with devices: BIND, ATTACH, domains, accounts, lifetimes; an iommufd as a container.
#include <array>

#include "properties/conformance/iommufd_steps.hpp"

namespace vcpr::conformance {

namespace request = abi::request;

namespace {

constexpr std::uint64_t kNowhere = 0x10000;
constexpr std::uint64_t kEnd = ~std::uint64_t{0};
constexpr std::uint64_t kFourPages = 4 * kPage;

/// An iommufd and an edu: bound with IOAS 1, as device 2.
struct Bound {
  explicit Bound(World& world) : k(world.kernel()), iommufd(open_iommu(k)), device(open_cdev(world)) {
    (void)alloc_ioas(k, iommufd);
    (void)bind_device(k, device, iommufd);
  }

  os::Kernel& k;
  int iommufd;
  int device;
};

int open_group_of(World& world) {
  return world.kernel().open(world.device(machine::DeviceModel::edu).group.c_str(), abi::o_rdwr).value_or(-1);
}

void i11(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const int d = open_cdev(world);
  abi::vfio_irq_info info{sizeof info, 0, 0, 0};
  report.expect("GET_IRQ_INFO unbound", call(k, d, request::vfio_device_get_irq_info, info), fails(Errno::einval));
  report.expect("iommufd -1", bind_device(k, d, -1), fails(Errno::einval));
  report.expect("descriptor 999", bind_device(k, d, 999), fails(Errno::ebadf));
  report.expect("an eventfd", bind_device(k, d, make_eventfd(k, 0)), fails(Errno::ebadfd));
  abi::vfio_device_bind_iommufd bind{sizeof bind, 2, i, 0, 0};
  report.expect("flags 2", call(k, d, request::vfio_device_bind_iommufd, bind), fails(Errno::einval));
  bind = {12, 0, i, 0, 0};
  report.expect("argsz 12", call(k, d, request::vfio_device_bind_iommufd, bind), fails(Errno::einval));
  std::array<std::uint32_t, 8> longer{32, 0, static_cast<std::uint32_t>(i), 0, 0, 0, 1, 0};
  report.expect("argsz 32, a tail", call(k, d, request::vfio_device_bind_iommufd, longer), fails(Errno::e2big));
  report.expect("null", k.ioctl(d, request::vfio_device_bind_iommufd, nullptr), fails(Errno::efault));
  report.expect("BIND", bind_device(k, d, i), 1);
  report.expect("BIND again", bind_device(k, d, i), fails(Errno::einval));
  report.expect("GET_IRQ_INFO bound", call(k, d, request::vfio_device_get_irq_info, info), 0);
  const int second = open_cdev(world);
  report.expect("open again", second >= 0, 1);
  report.expect("BIND the second file", bind_device(k, second, i), fails(Errno::einval));
  report.expect("open the group", k.open(world.device(machine::DeviceModel::edu).group.c_str(), abi::o_rdwr),
                fails(Errno::ebusy));
  report.expect("DESTROY the device", destroy_object(k, i, 1), fails(Errno::ebusy));
}

void i12(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const int d = open_cdev(world);
  const int g = open_group_of(world);
  report.expect("BIND with the group open", bind_device(k, d, i), fails(Errno::ebusy));
  report.expect("close", k.close(g), 0);
  report.expect("BIND", bind_device(k, d, i), 1);
}

void i13(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const int d = open_cdev(world);
  report.expect("IOAS_ALLOC", alloc_ioas(k, i), 1);
  report.expect("BIND", bind_device(k, d, i), 2);
  report.expect("ATTACH 9", attach_device(k, d, 9), fails(Errno::enoent));
  report.expect("ATTACH the device", attach_device(k, d, 2), fails(Errno::einval));
  report.expect("ATTACH the IOAS", attach_device(k, d, 1), 3);
  report.expect("again", attach_device(k, d, 1), 3);
  report.expect("DESTROY the IOAS", destroy_object(k, i, 1), fails(Errno::ebusy));
  report.expect("DESTROY the HWPT", destroy_object(k, i, 3), fails(Errno::ebusy));
  report.expect("DETACH", detach_device(k, d), 0);
  report.expect("DETACH again", detach_device(k, d), 0);
  report.expect("the automatic HWPT is gone", destroy_object(k, i, 3), fails(Errno::enoent));
  report.expect("ATTACH", attach_device(k, d, 1), 3);
  report.expect("close the device", k.close(d), 0);
  report.expect("DESTROY the HWPT", destroy_object(k, i, 3), fails(Errno::enoent));
  report.expect("DESTROY the device", destroy_object(k, i, 2), fails(Errno::enoent));
  report.expect("DESTROY the IOAS", destroy_object(k, i, 1), 0);
}

void i14(World& world, Report& report) {
  const Bound b(world);
  os::Kernel& k = b.k;
  const int i = b.iommufd;
  report.expect("unknown device", alloc_hwpt(k, i, {9}), fails(Errno::enoent));
  report.expect("unknown target", alloc_hwpt(k, i, {2, 9}), fails(Errno::einval));
  report.expect("target: the device", alloc_hwpt(k, i, {2, 2}), fails(Errno::einval));
  report.expect("reserved", alloc_hwpt(k, i, {2, 1, 0, 0, 0, 1}), fails(Errno::eopnotsupp));
  report.expect("data without type", alloc_hwpt(k, i, {2, 1, 0, 0, 8}), fails(Errno::einval));
  report.expect("flags 0x100", alloc_hwpt(k, i, {2, 1, 0x100}), fails(Errno::eopnotsupp));
  report.expect("DIRTY_TRACKING", alloc_hwpt(k, i, {2, 1, abi::iommu_hwpt_alloc_dirty_tracking}),
                fails(Errno::eopnotsupp));
  report.expect("NEST_PARENT", alloc_hwpt(k, i, {2, 1, abi::iommu_hwpt_alloc_nest_parent}), fails(Errno::eopnotsupp));
  report.expect("no such fault queue", alloc_hwpt(k, i, {2, 1, abi::iommu_hwpt_fault_id_valid, 0, 0, 0, 9}),
                fails(Errno::enoent));
  report.expect("ATTACH the IOAS", attach_device(k, b.device, 1), 3);
  report.expect("HWPT_ALLOC", alloc_hwpt(k, i, {}), 4);
  report.expect("ATTACH 4: replace", attach_device(k, b.device, 4), 4);
  report.expect("the automatic one is gone", destroy_object(k, i, 3), fails(Errno::enoent));
  report.expect("DESTROY 4", destroy_object(k, i, 4), fails(Errno::ebusy));
  report.expect("ATTACH the IOAS: never a manual one", attach_device(k, b.device, 1), 3);
  report.expect("DESTROY 4", destroy_object(k, i, 4), 0);
  abi::iommu_hwpt_set_dirty_tracking track{sizeof track, 0, 1, 0};
  report.expect("SET_DIRTY of an IOAS", call(k, i, request::iommu_hwpt_set_dirty_tracking, track),
                fails(Errno::enoent));
  track.hwpt_id = 3;
  report.expect("SET_DIRTY", call(k, i, request::iommu_hwpt_set_dirty_tracking, track), fails(Errno::eopnotsupp));
}

void i15(World& world, Report& report) {
  const Bound b(world);
  os::Kernel& k = b.k;
  const int i = b.iommufd;
  const int file = make_memfd(k, 4);
  const int null = k.open("/dev/null", abi::o_rdwr).value_or(-1);
  const std::uint64_t buffer = map_anonymous(k, 64);
  report.expect("ATTACH", attach_device(k, b.device, 1), 3);
  report.expect("nothing at the address", map_memory(k, i, {1, 0x200000, kNowhere}), fails(Errno::efault));
  report.expect("the range is free", unmap_memory(k, i, 1, 0x200000, kPage), fails(Errno::enoent));
  report.expect("length 100", map_memory(k, i, {1, 0x200000, buffer, 100}), fails(Errno::einval));
  report.expect("iova unaligned", map_memory(k, i, {1, 0x200010, buffer}), fails(Errno::einval));
  report.expect("address unaligned", map_memory(k, i, {1, 0x200000, buffer + 16}), fails(Errno::einval));
  report.expect("MSI window", map_memory(k, i, {1, 0xfee00000, buffer}), fails(Errno::einval));
  report.expect("beyond the end", map_file(k, i, file, {1, 0x300000, 0, 8 * kPage}), fails(Errno::einval));
  report.expect("/dev/null", map_file(k, i, null, {1, 0x300000}), fails(Errno::einval));
  report.expect("MAP_FILE", map_file(k, i, file, {1, 0x300000, 0, kFourPages}), 0);
  report.expect("close the file", k.close(file), 0);
  report.expect("UNMAP", unmap_memory(k, i, 1, 0x300000, kFourPages), kFourPages);
}

/// Found by the random calls of ci/real-kernel.
void i26(World& world, Report& report) {
  const Bound b(world);
  report.expect("MAP of nothing, lazily", map_memory(b.k, b.iommufd, {1, 0x200000, kNowhere}), 0);
  report.expect("MAP in the MSI window", map_memory(b.k, b.iommufd, {1, 0xfee00000, kNowhere}), 0);
  report.expect("ATTACH meets the window first", attach_device(b.k, b.device, 1), fails(Errno::eaddrinuse));
  report.expect("UNMAP there", unmap_memory(b.k, b.iommufd, 1, 0xfee00000, kPage), kPage);
  report.expect("ATTACH meets nothing", attach_device(b.k, b.device, 1), fails(Errno::efault));
}

void i16(World& world, Report& report) {
  const Bound b(world);
  os::Kernel& k = b.k;
  const int i = b.iommufd;
  report.expect("MAP of nothing", map_memory(k, i, {1, 0x200000, kNowhere}), 0);
  report.expect("ATTACH finds out", attach_device(k, b.device, 1), fails(Errno::efault));
  report.expect("its id is free again", alloc_hwpt(k, i, {}), fails(Errno::efault));
  report.expect("UNMAP", unmap_memory(k, i, 1, 0, kEnd), kPage);
  report.expect("a part of a page", map_memory(k, i, {1, 0x200010, kNowhere + 16, 100}), 0);
  report.expect("ATTACH of that", attach_device(k, b.device, 1), fails(Errno::eaddrinuse));
  report.expect("UNMAP", unmap_memory(k, i, 1, 0, kEnd), 100);
  report.expect("in the MSI window", map_memory(k, i, {1, 0xfee00000, map_anonymous(k, 1)}), 0);
  report.expect("a HWPT does not mind", alloc_hwpt(k, i, {}), 3);
  report.expect("ATTACH does", attach_device(k, b.device, 1), fails(Errno::eaddrinuse));
  report.expect("UNMAP", unmap_memory(k, i, 1, 0, kEnd), kPage);
  report.expect("ATTACH", attach_device(k, b.device, 1), 4);
}

void i17(World& world, Report& report) {
  const Bound b(world);
  os::Kernel& k = b.k;
  report.expect("close the iommufd", k.close(b.iommufd), 0);
  report.expect("ATTACH through the device", attach_device(k, b.device, 1), 3);
  report.expect("DETACH", detach_device(k, b.device), 0);
  report.expect("close the device", k.close(b.device), 0);
  const int i = open_iommu(k);
  report.expect("BIND to a new one", bind_device(k, open_cdev(world), i), 1);
}

void i18(World& world, Report& report) {
  const Bound b(world);
  world.in_child(
      [&](World& child, Report& r) { r.expect("child: ATTACH", attach_device(child.kernel(), b.device, 1), 3); },
      report);
  report.expect("DESTROY the IOAS", destroy_object(b.k, b.iommufd, 1), fails(Errno::ebusy));
  report.expect("ATTACH, the same", attach_device(b.k, b.device, 1), 3);
}

/// In RLIMIT_MODE 1 with a file of four pages mapped, by a process without CAP_IPC_LOCK.
void i19(World& world, Report& report) {
  constexpr std::uint64_t plenty = 1 << 20;
  os::Kernel& k = world.kernel();
  world.set_memlock(plenty, false);
  const int i = open_iommu(k);
  const int d = open_cdev(world);
  report.expect("RLIMIT_MODE", set_option(k, i, abi::iommu_option_rlimit_mode, 0, 1), 1);
  (void)alloc_ioas(k, i);
  (void)bind_device(k, d, i);
  report.expect("ATTACH", attach_device(k, d, 1), 3);
  report.expect("MAP_FILE", map_file(k, i, make_memfd(k, 4), {1, 0x100000, 0, kFourPages}), 0);
  const auto charged = [&](World& of) { return static_cast<Outcome>(of.locked_kib() * 1000 + of.pinned_kib()); };
  report.expect("charged", charged(world), 16016);
  world.in_child(
      [&](World& child, Report& r) {
        child.set_memlock(kPage, false);
        r.expect("beyond the limit", change_process(child.kernel(), i), fails(Errno::enomem));
        r.expect("nothing is charged", charged(child), 0);
      },
      report);
  report.expect("still charged", charged(world), 16016);
  world.in_child(
      [&](World& child, Report& r) {
        r.expect("CHANGE_PROCESS", change_process(child.kernel(), i), 0);
        r.expect("charged to the child", charged(child), 16016);
      },
      report);
  report.expect("not here any more", charged(world), 0);
  report.expect("the owner is dead, and the charge moved", change_process(k, i), fails(Errno::einval));
  report.expect("it is here", charged(world), 16016);
  report.expect("UNMAP", unmap_memory(k, i, 1, 0x100000, kFourPages), kFourPages);
  report.expect("never given back", charged(world), 16016);
}

void i20(World& world, Report& report) {
  const Bound b(world);
  os::Kernel& k = b.k;
  const int i = b.iommufd;
  const int second = open_cdev(world, 1);
  report.expect("BIND a second device", bind_device(k, second, i), 3);
  report.expect("a second IOAS", alloc_ioas(k, i), 4);
  report.expect("ATTACH", attach_device(k, b.device, 1), 5);
  report.expect("the same domain", attach_device(k, second, 1), 5);
  report.expect("to the other IOAS", attach_device(k, second, 4), 6);
  report.expect("MSI window there", map_memory(k, i, {4, 0xfee00000, map_anonymous(k, 1)}), fails(Errno::einval));
  report.expect("back", attach_device(k, second, 1), 5);
  report.expect("free there again", map_memory(k, i, {4, 0xfee00000, map_anonymous(k, 1)}), 0);
  report.expect("a failed replace", attach_device(k, second, 4), fails(Errno::eaddrinuse));
  report.expect("changes nothing", attach_device(k, second, 1), 5);
  report.expect("DETACH", detach_device(k, b.device), 0);
  report.expect("still used", destroy_object(k, i, 5), fails(Errno::ebusy));
  report.expect("close", k.close(second), 0);
  report.expect("gone with the last", destroy_object(k, i, 5), fails(Errno::enoent));
  const int other = open_iommu(k);
  report.expect("a bound device", bind_device(k, b.device, other), fails(Errno::einval));
}

void i21(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  int i = open_iommu(k);
  const int g = open_group_of(world);
  const std::uint64_t buffer = map_anonymous(k, 1);
  const auto number = [&](std::uint64_t what, std::uintptr_t argument) {
    return outcome(k.ioctl(i, what, reinterpret_cast<void*>(argument)));
  };
  const auto unmap = [&](std::uint32_t flags, std::uint64_t iova, std::uint64_t size) {
    abi::vfio_iommu_type1_dma_unmap argument{sizeof argument, flags, iova, size};
    const Outcome done = call(k, i, request::vfio_iommu_unmap_dma, argument);
    return done < 0 ? done : static_cast<Outcome>(argument.size);
  };
  report.expect("UPDATE_VADDR", number(request::vfio_check_extension, abi::vfio_update_vaddr), 0);
  report.expect("SET_IOMMU before a group", number(request::vfio_set_iommu, 3), fails(Errno::enodev));
  report.expect("SET_CONTAINER", call(k, g, request::vfio_group_set_container, i), 0);
  report.expect("SET_IOMMU", number(request::vfio_set_iommu, 3), 0);
  abi::vfio_iommu_type1_dma_map map{sizeof map, 3, buffer, 0x100000, kPage};
  report.expect("MAP_DMA", call(k, i, request::vfio_iommu_map_dma, map), 0);
  const std::uint32_t all = abi::vfio_dma_unmap_flag_all;
  report.expect("UNMAP with VADDR", unmap(abi::vfio_dma_unmap_flag_vaddr | all, 0, 0), fails(Errno::einval));
  report.expect("UNMAP of nothing", unmap(0, 0x900000, kPage), 0);
  report.expect("UNMAP all", unmap(all, 0, 0), kPage);
  abi::vfio_iommu_type1_dirty_bitmap dirty{sizeof dirty, abi::vfio_iommu_dirty_pages_flag_start};
  report.expect("DIRTY_PAGES", call(k, i, request::vfio_iommu_dirty_pages, dirty), fails(Errno::enotty));
  report.expect("the IOAS has an id", destroy_object(k, i, 1), 0);
  report.expect("and is gone", number(request::vfio_set_iommu, 3), fails(Errno::enodev));
}

void i22(World& world, Report& report) {
  const Bound b(world);
  std::array<std::uint8_t, 32> data{};
  data.fill(0xff);
  abi::iommu_hw_info info{};
  info.size = sizeof info;
  info.dev_id = 1;
  info.data_len = data.size();
  info.data_uptr = reinterpret_cast<std::uintptr_t>(data.data());
  const auto get = [&] { return call(b.k, b.iommufd, request::iommu_get_hw_info, info); };
  report.expect("of an IOAS", get(), fails(Errno::enoent));
  info.dev_id = 2;
  info.flags = 8;
  report.expect("flags 8", get(), fails(Errno::eopnotsupp));
  info.flags = 0;
  report.expect("GET_HW_INFO", get(), 0);
  report.expect("Intel's", info.out_data_type, abi::iommu_hw_info_type_intel_vtd);
  report.expect("bytes", info.data_len, sizeof(abi::iommu_hw_info_vtd));
  report.expect("zeros behind", data[24] + data[31], 0);
}

void i23(World& world, Report& report) {
  const Bound b(world);
  os::Kernel& k = b.k;
  (void)attach_device(k, b.device, 1);
  world.set_memlock(0, true);
  const std::uint64_t before = world.pinned_kib();
  const auto delta = [&] { return static_cast<Outcome>(world.pinned_kib() - before); };
  report.expect("MAP_FILE", map_file(k, b.iommufd, make_memfd(k, 4), {1, 0x100000, 0, kFourPages}), 0);
  report.expect("pinned", delta(), 16);
  world.in_child([&](World& child, Report& r) { r.expect("child", change_process(child.kernel(), b.iommufd), 0); },
                 report);
  report.expect("not moved", delta(), 16);
  report.expect("UNMAP", unmap_memory(k, b.iommufd, 1, 0x100000, kFourPages), kFourPages);
  report.expect("leaked", delta(), 16);
}

/// Pages are pinned and charged once, however many areas show them.
void i24(World& world, Report& report) {
  const Bound b(world);
  os::Kernel& k = b.k;
  const int i = b.iommufd;
  const std::uint64_t before = world.pinned_kib();
  const auto delta = [&] { return static_cast<Outcome>(world.pinned_kib() - before); };
  report.expect("MAP, lazy", map_memory(k, i, {1, 0x100000, map_anonymous(k, 4), kFourPages}), 0);
  report.expect("not pinned", delta(), 0);
  report.expect("ATTACH", attach_device(k, b.device, 1), 3);
  report.expect("pinned", delta(), 16);
  abi::iommu_ioas_copy copy{sizeof copy, kFixed | kReadWrite, 1, 1, 2 * kPage, 0x200000, 0x101000};
  report.expect("COPY of two pages", call(k, i, request::iommu_ioas_copy, copy), 0);
  report.expect("pinned once", delta(), 16);
  report.expect("UNMAP the source", unmap_memory(k, i, 1, 0x100000, kFourPages), kFourPages);
  report.expect("the copy's are left", delta(), 8);
  report.expect("DETACH", detach_device(k, b.device), 0);
  report.expect("not pinned", delta(), 0);
}

void i25(World& world, Report& report) {
  const Bound b(world);
  os::Kernel& k = b.k;
  const int file = make_memfd(k, 4);
  (void)attach_device(k, b.device, 1);
  report.expect("MAP_FILE", map_file(k, b.iommufd, file, {1, 0x100000, 0, kFourPages}), 0);
  report.expect("SEAL_WRITE", k.fcntl(file, abi::f_add_seals, abi::seal_write), fails(Errno::ebusy));
  report.expect("SHRINK, GROW", k.fcntl(file, abi::f_add_seals, abi::seal_shrink | abi::seal_grow), 0);
  report.expect("UNMAP", unmap_memory(k, b.iommufd, 1, 0x100000, kFourPages), kFourPages);
  report.expect("SEAL_WRITE", k.fcntl(file, abi::f_add_seals, abi::seal_write), 0);
  report.expect("MAP_FILE, writable all the same", map_file(k, b.iommufd, file, {1, 0x100000, 0, kFourPages}), 0);
}

constexpr std::array kCases = {
    Case{"I11", "BIND", Feature::iommufd, i11},
    Case{"I12", "an open group blocks BIND", Feature::iommufd, i12},
    Case{"I13", "ATTACH, automatic HWPT, ids", Feature::iommufd, i13},
    Case{"I14", "manual HWPT", Feature::iommufd, i14},
    Case{"I15", "a domain makes MAP strict", Feature::iommufd, i15},
    Case{"I16", "ATTACH meets what lazy maps put off", Feature::iommufd, i16},
    Case{"I17", "the iommufd is closed first", Feature::iommufd, i17},
    Case{"I18", "device and iommufd do not look at the mm", Feature::iommufd, i18},
    Case{"I19", "CHANGE_PROCESS moves the account", Feature::iommufd, i19},
    Case{"I20", "two devices, two IOASes", Feature::iommufd, i20},
    Case{"I21", "an iommufd as a container", Feature::iommufd, i21},
    Case{"I22", "GET_HW_INFO", Feature::iommufd, i22},
    Case{"I23", "CHANGE_PROCESS with CAP_IPC_LOCK moves nothing", Feature::iommufd, i23},
    Case{"I24", "pages are pinned once", Feature::iommufd, i24},
    Case{"I25", "SEAL_WRITE of a pinned memfd", Feature::iommufd, i25},
    Case{"I26", "a first ATTACH meets reserved regions before memory", Feature::iommufd, i26},
};

}  // namespace

std::span<const Case> iommufd_device_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
