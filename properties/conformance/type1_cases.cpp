// type1: map, unmap, vaddr invalidate and update, accounting, dirty tracking.
#include <array>
#include <cstring>

#include "properties/conformance/vfio_steps.hpp"

namespace vcpr::conformance {

namespace {

using machine::DeviceModel;
constexpr std::uint64_t kLow = 0x100000;
constexpr std::uint64_t kHigh = 0x200000;
constexpr std::uint64_t kLastPage = ~std::uint64_t{0} - kPage + 1;
constexpr os::UserAddr kNowhere{0x10000};

/// A container with nothing mapped, and memory to map.
struct Stage {
  explicit Stage(World& world, std::uint32_t type = abi::vfio_type1v2_iommu)
      : k(world.kernel()), vfio(world, type), memory(make_memory(k)) {}

  Outcome map(std::uint64_t iova, os::UserAddr vaddr, std::uint64_t pages, std::uint32_t flags = kMapBoth) const {
    return map_dma(k, vfio.container, iova, vaddr, pages * kPage, flags);
  }
  /// Pages, or the errno.
  Outcome unmap(std::uint64_t iova, std::uint64_t pages, std::uint32_t flags = 0) const {
    const Outcome bytes = unmap_dma(k, vfio.container, iova, pages * kPage, flags);
    return bytes < 0 ? bytes : bytes / static_cast<Outcome>(kPage);
  }
  Outcome invalidate_all() const { return unmap(0, 0, kUnmapVaddr | kUnmapAll); }
  os::UserAddr page(std::uint64_t index) const { return memory + index * kPage; }

  os::Kernel& k;
  Type1Container vfio;
  os::UserAddr memory;
};

void t01(World& world, Report& report) {
  const Stage s(world);
  report.expect("size 0", s.map(0, s.memory, 0), fails(Errno::einval));
  report.expect("no prot", s.map(0, s.memory, 1, 0), fails(Errno::einval));
  report.expect("READ|VADDR", s.map(0, s.memory, 1, kMapRead | kMapVaddr), fails(Errno::einval));
  report.expect("flag 8", s.map(0, s.memory, 1, kMapBoth | 8), fails(Errno::einval));
  report.expect("iova unaligned", s.map(0x100010, s.memory, 1), fails(Errno::einval));
  report.expect("vaddr unaligned", s.map(kLow, s.memory + 16, 1), fails(Errno::einval));
  report.expect("size unaligned", map_dma(s.k, s.vfio.container, kLow, s.memory, 100), fails(Errno::einval));
  report.expect("iova wraps", s.map(kLastPage, s.memory, 2), fails(Errno::eoverflow));
  report.expect("vaddr wraps", s.map(kLow, os::UserAddr(kLastPage), 2), fails(Errno::eoverflow));
  report.expect("wraps without prot", s.map(kLastPage, s.memory, 2, 0), fails(Errno::eoverflow));
  report.expect("vaddr not mapped", s.map(kLow, kNowhere, 1), fails(Errno::efault));
  report.expect("left nothing: UNMAP", s.unmap(kLow, 1), 0);
  report.expect("partly mapped", s.map(kLow, s.page(63), 2), fails(Errno::efault));
  report.expect("left no charge", static_cast<Outcome>(world.locked_kib()), 0);
  report.expect("MSI window", s.map(0xfee00000, s.memory, 1), fails(Errno::einval));
  report.expect("into the MSI window", s.map(0xfedff000, s.memory, 2), fails(Errno::einval));
  report.expect("up to the MSI window", s.map(0xfedff000, s.memory, 1), 0);
  report.expect("behind it", s.map(0xfef00000, s.memory, 1), 0);
  report.expect("ok", s.map(kLow, s.memory, 4), 0);
  report.expect("overlap", s.map(0x103000, s.page(8), 2), fails(Errno::eexist));
  report.expect("overlap in the MSI window", s.map(0xfedff000, s.page(8), 2), fails(Errno::eexist));
  report.expect("adjacent", s.map(0x104000, s.page(8), 2), 0);
}

void t02(World& world, Report& report) {
  const Stage s(world);
  (void)s.map(kLow, s.memory, 4);
  (void)s.map(kHigh, s.page(8), 4);
  abi::vfio_iommu_type1_dma_unmap cut{sizeof cut, 0, 0x101000, 3 * kPage};
  report.expect("cut left", s.k.ioctl(s.vfio.container, request::vfio_iommu_unmap_dma, &cut), fails(Errno::einval));
  report.expect("size field untouched", static_cast<Outcome>(cut.size), 3 * kPage);
  report.expect("cut right", s.unmap(kLow, 2), fails(Errno::einval));
  report.expect("none", s.unmap(0x300000, 1), 0);
  report.expect("size 0", s.unmap(kLow, 0), fails(Errno::einval));
  report.expect("unaligned", unmap_dma(s.k, s.vfio.container, kLow, 100), fails(Errno::einval));
  report.expect("wrap", s.unmap(kLastPage, 2), fails(Errno::eoverflow));
  report.expect("ALL with size", s.unmap(0, 1, kUnmapAll), fails(Errno::einval));
  report.expect("ALL with iova", s.unmap(kLow, 0, kUnmapAll), fails(Errno::einval));
  report.expect("flag 8", s.unmap(kLow, 4, 8), fails(Errno::einval));
  report.expect("VADDR|GET_DIRTY", s.unmap(kLow, 4, kUnmapVaddr | kUnmapDirty), fails(Errno::einval));
  report.expect("superset", s.unmap(0, 0x400), 8);
  report.expect("ALL on empty", s.unmap(0, 0, kUnmapAll), 0);
}

void t03(World& world, Report& report) {
  const Stage s(world);
  (void)s.map(kLow, s.memory, 4);
  (void)s.map(kHigh, s.page(8), 2);
  report.expect("UNMAP VADDR|ALL", s.invalidate_all(), 6);
  report.expect("again", s.invalidate_all(), fails(Errno::einval));
  report.expect("MAP VADDR wrong iova", s.map(0x101000, s.page(1), 3, kMapVaddr), fails(Errno::einval));
  report.expect("short", s.map(kLow, s.memory, 3, kMapVaddr), fails(Errno::einval));
  report.expect("long", s.map(kLow, s.memory, 5, kMapVaddr), fails(Errno::einval));
  report.expect("no mapping there", s.map(0x500000, s.memory, 1, kMapVaddr), fails(Errno::enoent));
  report.expect("vaddr unaligned", s.map(kLow, s.memory + 8, 4, kMapVaddr), fails(Errno::einval));
  report.expect("exact, new vaddr", s.map(kLow, s.page(16), 4, kMapVaddr), 0);
  report.expect("repeat", s.map(kLow, s.page(16), 4, kMapVaddr), fails(Errno::einval));
  report.expect("2nd, vaddr not mapped at all", s.map(kHigh, kNowhere, 2, kMapVaddr), 0);
  report.expect("UNMAP VADDR|ALL", s.invalidate_all(), 6);
}

/// Only what this very call has invalidated is rolled back.
void t04(World& world, Report& report) {
  const Stage s(world);
  (void)s.map(kLow, s.memory, 1);
  (void)s.map(kHigh, s.page(1), 1);
  report.expect("UNMAP VADDR of the upper one", s.unmap(kHigh, 1, kUnmapVaddr), 1);
  report.expect("UNMAP VADDR|ALL", s.invalidate_all(), fails(Errno::einval));
  report.expect("the lower one is valid again", s.map(kLow, s.memory, 1, kMapVaddr), fails(Errno::einval));
  report.expect("the upper one still is not", s.map(kHigh, s.page(1), 1, kMapVaddr), 0);
  report.expect("a range that cuts one", s.unmap(kLow, 2, kUnmapVaddr), 1);
  report.expect("none in range", s.unmap(0x300000, 1, kUnmapVaddr), 0);
}

Outcome dirty(const Stage& s, std::uint32_t flags) {
  abi::vfio_iommu_type1_dirty_bitmap argument{sizeof argument, flags};
  return outcome(s.k.ioctl(s.vfio.container, request::vfio_iommu_dirty_pages, &argument));
}
constexpr std::uint32_t kStart = abi::vfio_iommu_dirty_pages_flag_start;
constexpr std::uint32_t kStop = abi::vfio_iommu_dirty_pages_flag_stop;

/// DIRTY_PAGES with GET_BITMAP; the words are read back into `words`.
Outcome get_dirty(const Stage& s, std::uint64_t iova, std::uint64_t pages, std::array<std::uint64_t, 2>& words,
                  std::uint64_t page_bytes = kPage) {
  struct {
    abi::vfio_iommu_type1_dirty_bitmap header;
    abi::vfio_iommu_type1_dirty_bitmap_get range;
  } argument{};
  argument.header = {sizeof argument, abi::vfio_iommu_dirty_pages_flag_get_bitmap};
  argument.range = {iova, pages * kPage, {page_bytes, sizeof words, words.data()}};
  return outcome(s.k.ioctl(s.vfio.container, request::vfio_iommu_dirty_pages, &argument));
}

void t05(World& world, Report& report) {
  const Stage s(world);
  std::array<std::uint64_t, 2> words{};
  (void)s.map(kLow, s.memory, 1);
  (void)s.invalidate_all();
  report.expect("MAP new range", s.map(kHigh, s.page(1), 1), 0);
  report.expect("MAP same range", s.map(kLow, s.page(1), 1), fails(Errno::eexist));
  abi::vfio_iommu_type1_info info;
  info.argsz = sizeof info;
  report.expect("GET_INFO", s.k.ioctl(s.vfio.container, request::vfio_iommu_get_info, &info), 0);
  report.expect("DIRTY START", dirty(s, kStart), 0);
  report.expect("DIRTY GET", get_dirty(s, kLow, 1, words), 0);
  report.expect("bit", static_cast<Outcome>(words[0] & 1), 1);
  report.expect("DIRTY STOP", dirty(s, kStop), 0);
  const Outcome device = get_device_fd(s.k, s.vfio.group, s.vfio.device.address);
  report.expect("GET_DEVICE_FD", device >= 0 ? 0 : device, 0);
  report.expect("plain UNMAP of the invalid one", s.unmap(kLow, 1), 1);
  report.expect("UNMAP VADDR|ALL", s.invalidate_all(), 1);
}

void t06(World& world, Report& report) {
  const Stage s(world);
  (void)s.map(kLow, s.memory, 1);
  (void)s.invalidate_all();
  const auto other = static_cast<int>(open_group(world, world.device(DeviceModel::edu, 1)));
  report.expect("SET_CONTAINER of a second group", set_container(s.k, other, s.vfio.container), fails(Errno::ebusy));
  report.expect("it is still its own", group_status(s.k, other), abi::vfio_group_flags_viable);
  report.expect("MAP VADDR", s.map(kLow, s.memory, 1, kMapVaddr), 0);
  report.expect("SET_CONTAINER of the second group", set_container(s.k, other, s.vfio.container), 0);
}

Outcome update_in(World& child, const Stage& s) {
  return map_dma(child.kernel(), s.vfio.container, kLow, s.memory, 4 * kPage, kMapVaddr);
}
Outcome locked(World& world) {
  return static_cast<Outcome>(world.locked_kib());
}

void t07(World& world, Report& report) {
  const Stage s(world);
  (void)s.map(kLow, s.memory, 4);
  report.expect("VmLck", locked(world), 16);
  report.expect("UNMAP VADDR|ALL", s.invalidate_all(), 4);
  world.in_child(
      [&](World& child, Report& of_child) {
        child.set_memlock(kPage, false);
        of_child.expect("a limit of one page", update_in(child, s), fails(Errno::enomem));
        of_child.expect("no charge", locked(child), 0);
      },
      report);
  report.expect("VmLck after ENOMEM", locked(world), 16);
  world.in_child(
      [&](World& child, Report& of_child) {
        child.set_memlock(kPage, true);
        of_child.expect("CAP_IPC_LOCK bypasses the limit", update_in(child, s), 0);
        of_child.expect("but not the count", locked(child), 16);
      },
      report);
  report.expect("VmLck after the owner has moved", locked(world), 0);
  report.expect("owner dead: UNMAP", s.unmap(kLow, 4), 4);
  report.expect("VmLck", locked(world), 0);
}

void t08(World& world, Report& report) {
  const Stage s(world);
  (void)s.map(kLow, s.memory, 4);
  (void)s.invalidate_all();
  world.set_memlock(0, false);
  report.expect("MAP VADDR, other address", s.map(kLow, s.page(20), 4, kMapVaddr), 0);
  report.expect("VmLck", locked(world), 16);
  report.expect("UNMAP", s.unmap(kLow, 4), 4);
  report.expect("VmLck", locked(world), 0);
}

void t09(World& world, Report& report) {
  const Stage s(world);
  std::array<std::uint64_t, 2> words{};
  (void)s.map(kLow, s.memory, 4);
  report.expect("flags 0", dirty(s, 0), fails(Errno::einval));
  report.expect("START|STOP", dirty(s, kStart | kStop), fails(Errno::einval));
  report.expect("flag 8", dirty(s, 8), fails(Errno::einval));
  report.expect("GET before START", get_dirty(s, kLow, 4, words), fails(Errno::einval));
  report.expect("STOP", dirty(s, kStop), 0);
  report.expect("START", dirty(s, kStart), 0);
  report.expect("START", dirty(s, kStart), 0);
  report.expect("GET", get_dirty(s, kLow, 4, words), 0);
  report.expect("bitmap", static_cast<Outcome>(words[0]), 15);
  report.expect("GET pgsize 8192", get_dirty(s, kLow, 4, words, 8192), fails(Errno::einval));
  report.expect("GET cut", get_dirty(s, kLow, 2, words), fails(Errno::einval));
  report.expect("GET size 0", get_dirty(s, kLow, 0, words), fails(Errno::einval));
  report.expect("GET wraps", get_dirty(s, kLastPage, 2, words), fails(Errno::eoverflow));
  report.expect("GET unaligned", get_dirty(s, kLow + 8, 4, words), fails(Errno::einval));
  report.expect("bitmap too small", get_dirty(s, kLow, 129, words), fails(Errno::einval));
}

/// A mapping amid a range: what lies before its first bit stays, its last word is written whole.
void t10(World& world, Report& report) {
  const Stage s(world);
  std::array<std::uint64_t, 2> words{3, ~std::uint64_t{0}};
  (void)s.map(kLow + 60 * kPage, s.memory, 8);
  (void)dirty(s, kStart);
  report.expect("GET", get_dirty(s, kLow, 128, words), 0);
  report.expect("first word", static_cast<Outcome>(words[0] == (0xf000'0000'0000'0003)), 1);
  report.expect("second word", static_cast<Outcome>(words[1]), 15);
  words = {};
  struct {
    abi::vfio_iommu_type1_dma_unmap unmap;
    abi::vfio_bitmap bitmap;
  } argument{};
  const auto unmap = [&](std::uint64_t size, std::uint64_t bitmap_bytes, std::uint64_t page_bytes) {
    argument.unmap = {sizeof argument, kUnmapDirty, kLow, size};
    argument.bitmap = {page_bytes, bitmap_bytes, words.data()};
    return outcome(s.k.ioctl(s.vfio.container, request::vfio_iommu_unmap_dma, &argument));
  };
  report.expect("UNMAP, bitmap too small", unmap(128 * kPage, 8, kPage), fails(Errno::einval));
  report.expect("UNMAP, no bitmap", unmap(128 * kPage, 0, kPage), fails(Errno::einval));
  report.expect("UNMAP, other page size", unmap(128 * kPage, sizeof words, 2 * kPage), fails(Errno::einval));
  report.expect("UNMAP", unmap(128 * kPage, sizeof words, kPage), 0);
  report.expect("size", static_cast<Outcome>(argument.unmap.size), 8 * kPage);
  // Beyond the mapping Linux 7.2.13 sets what GET shifted and did not clear (update_user_bitmap).
  report.expect("second word", static_cast<Outcome>(words[1] & 0xff), 15);
  (void)dirty(s, kStop);
  report.expect("UNMAP without tracking", unmap(128 * kPage, sizeof words, kPage), fails(Errno::einval));
}

void t11(World& world, Report& report) {
  world.set_dma_entry_limit(2);
  const Stage s(world);
  world.set_dma_entry_limit(65535);
  report.expect("MAP 1", s.map(kLow, s.memory, 1), 0);
  report.expect("MAP 2", s.map(kHigh, s.page(1), 1), 0);
  report.expect("MAP 3", s.map(0x300000, s.page(2), 1), fails(Errno::enospc));
  report.expect("overlap comes first", s.map(kLow, s.page(2), 1), fails(Errno::eexist));
  report.expect("the window after", s.map(0xfee00000, s.page(2), 1), fails(Errno::enospc));
  report.expect("UNMAP VADDR|ALL", s.invalidate_all(), 2);
  report.expect("MAP VADDR needs no entry", s.map(kLow, s.page(3), 1, kMapVaddr), 0);
  report.expect("UNMAP 2 (invalid)", s.unmap(kHigh, 1), 1);
  report.expect("MAP 3", s.map(0x300000, s.page(2), 1), 0);
}

/// The capabilities of GET_INFO, in order, with room for all of them.
void expect_chain(const Stage& s, Report& report) {
  constexpr std::uint32_t kChain = 32 + 16 + 48;
  alignas(8) std::array<std::byte, sizeof(abi::vfio_iommu_type1_info) + kChain> buffer{};
  abi::vfio_iommu_type1_info info;
  info.argsz = buffer.size();
  std::memcpy(buffer.data(), &info, sizeof info);
  report.expect("GET_INFO", s.k.ioctl(s.vfio.container, request::vfio_iommu_get_info, buffer.data()), 0);
  std::memcpy(&info, buffer.data(), sizeof info);
  report.expect("cap_offset", info.cap_offset, sizeof info);
  constexpr std::array<std::array<std::uint32_t, 3>, 3> kWanted{{{2, 1, 24 + 32}, {3, 1, 24 + 48}, {1, 1, 0}}};
  std::size_t offset = info.cap_offset;
  for (const auto& [id, version, next] : kWanted) {
    abi::vfio_info_cap_header header;
    std::memcpy(&header, buffer.data() + offset, sizeof header);
    report.expect("id", header.id, id);
    report.expect("version", header.version, version);
    report.expect("next", header.next, next);
    if (header.next == 0) break;
    offset = header.next;
  }
  abi::vfio_iommu_type1_info_dma_avail available;
  std::memcpy(&available, buffer.data() + 24 + 32, sizeof available);
  report.expect("avail", available.avail, 65534);
}

void t12(World& world, Report& report) {
  const Stage s(world);
  (void)s.map(kLow, s.memory, 1);
  abi::vfio_iommu_type1_info info;
  const auto get_info = request::vfio_iommu_get_info;
  info.argsz = 12;
  report.expect("argsz 12", s.k.ioctl(s.vfio.container, get_info, &info), fails(Errno::einval));
  report.expect("null", s.k.ioctl(s.vfio.container, get_info, nullptr), fails(Errno::efault));
  info = {};
  info.argsz = 16;
  info.cap_offset = 77;
  report.expect("argsz 16", s.k.ioctl(s.vfio.container, get_info, &info), 0);
  report.expect("flags", info.flags, abi::vfio_iommu_info_pgsizes | abi::vfio_iommu_info_caps);
  report.expect("4 KiB pages", static_cast<Outcome>(info.iova_pgsizes & (2 * kPage - 1)), kPage);
  report.expect("argsz raised", info.argsz, 24 + 32 + 16 + 48);
  report.expect("not written beyond", info.cap_offset, 77);
  info.argsz = sizeof info;
  report.expect("argsz 24", s.k.ioctl(s.vfio.container, get_info, &info), 0);
  report.expect("no room", info.cap_offset, 0);
  expect_chain(s, report);
}

void t13(World& world, Report& report) {
  const Stage s(world, abi::vfio_type1_iommu);
  (void)s.map(kLow, s.memory, 4);
  report.expect("start inside a mapping", s.unmap(kLow + kPage, 3), 0);
  report.expect("it is still there", s.map(kLow, s.memory, 1), fails(Errno::eexist));
  report.expect("start inside, VADDR", s.unmap(kLow + kPage, 3, kUnmapVaddr), 0);
  report.expect("DIRTY_PAGES", dirty(s, kStart), fails(Errno::eacces));
  report.expect("DIRTY_PAGES, null", s.k.ioctl(s.vfio.container, request::vfio_iommu_dirty_pages, nullptr),
                fails(Errno::eacces));
  report.expect("the first page takes it whole", s.unmap(kLow, 1), 4);
}

/// RLIMIT_MEMLOCK and faults at map time, page by page.
void t14(World& world, Report& report) {
  const Stage s(world);
  world.set_memlock(2 * kPage, false);
  report.expect("beyond the limit", s.map(kLow, s.memory, 3), fails(Errno::enomem));
  report.expect("left no charge", locked(world), 0);
  report.expect("within the limit", s.map(kLow, s.memory, 2), 0);
  report.expect("VmLck", locked(world), 8);
  report.expect("one more", s.map(kHigh, s.page(2), 1), fails(Errno::enomem));
  report.expect("not mapped memory comes first", s.map(kHigh, kNowhere, 1), fails(Errno::efault));
  (void)s.k.mprotect(s.memory + 8 * kPage, kPage, abi::prot_read);
  report.expect("UNMAP", s.unmap(kLow, 2), 2);
  report.expect("WRITE of read-only memory", s.map(kLow, s.page(8), 1), fails(Errno::efault));
  report.expect("READ of it", s.map(kLow, s.page(8), 1, kMapRead), 0);
  report.expect("the limit before the hole", s.map(kHigh, s.page(61), 4), fails(Errno::enomem));
}

/// Mappings outlive the memory and the process that made them.
void t15(World& world, Report& report) {
  const Stage s(world);
  world.in_child(
      [&](World& child, Report& of_child) {
        const auto mapped = map_dma(child.kernel(), s.vfio.container, kLow, s.memory, kPage);
        of_child.expect("any holder maps its own memory", mapped, 0);
        of_child.expect("and is charged", locked(child), 4);
      },
      report);
  report.expect("not the opener", locked(world), 0);
  report.expect("owner dead: VADDR", s.invalidate_all(), 1);
  report.expect("owner dead: update", s.map(kLow, s.memory, 1, kMapVaddr), 0);
  report.expect("the charge comes along", locked(world), 4);
  (void)s.k.munmap(s.memory, kPage);
  report.expect("UNMAP after munmap", s.unmap(kLow, 1), 1);
  report.expect("VmLck", locked(world), 0);
}

constexpr std::array kCases = {
    Case{"T01", "MAP_DMA: errors in order", Feature::vfio_devices, t01},
    Case{"T02", "UNMAP_DMA", Feature::vfio_devices, t02},
    Case{"T03", "vaddr invalidate and update", Feature::vfio_devices, t03},
    Case{"T04", "vaddr invalidate rolls back its own", Feature::vfio_devices, t04},
    Case{"T05", "what works while a vaddr is invalid", Feature::vfio_devices, t05},
    Case{"T06", "a second group while a vaddr is invalid", Feature::vfio_devices, t06},
    Case{"T07", "the owner moves to a forked child", Feature::vfio_devices, t07},
    Case{"T08", "an update by the same process moves nothing", Feature::vfio_devices, t08},
    Case{"T09", "DIRTY_PAGES", Feature::vfio_devices, t09},
    Case{"T10", "where dirty bits go", Feature::vfio_devices, t10},
    Case{"T11", "dma_entry_limit", Feature::vfio_devices, t11},
    Case{"T12", "GET_INFO and its capabilities", Feature::vfio_devices, t12},
    Case{"T13", "type1 v1", Feature::vfio_devices, t13},
    Case{"T14", "RLIMIT_MEMLOCK and rights at map time", Feature::vfio_devices, t14},
    Case{"T15", "mappings of others, and of the dead", Feature::vfio_devices, t15},
};

}  // namespace

std::span<const Case> type1_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
