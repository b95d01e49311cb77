// iommufd without devices: ids, sizes, lazy mappings, CHANGE_PROCESS, options.
#include <array>

#include "properties/conformance/iommufd_steps.hpp"

namespace vcpr::conformance {

namespace request = abi::request;

namespace {

constexpr std::uint64_t kNowhere = 0x10000;  // below vm.mmap_min_addr's neighbours: nothing is mapped there
constexpr std::uint64_t kEnd = ~std::uint64_t{0};

void i01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  report.expect("IOAS_ALLOC", alloc_ioas(k, i), 1);
  report.expect("IOAS_ALLOC", alloc_ioas(k, i), 2);
  report.expect("IOAS_ALLOC", alloc_ioas(k, i), 3);
  report.expect("DESTROY 2", destroy_object(k, i, 2), 0);
  report.expect("DESTROY 2 again", destroy_object(k, i, 2), fails(Errno::enoent));
  report.expect("the smallest free id", alloc_ioas(k, i), 2);
  report.expect("DESTROY 0", destroy_object(k, i, 0), fails(Errno::enoent));
  report.expect("DESTROY 99", destroy_object(k, i, 99), fails(Errno::enoent));
  report.expect("then the next", alloc_ioas(k, i), 4);
}

void i02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  std::array<std::uint32_t, 4> argument{7, 0, 0, 0};
  report.expect("size 7", call(k, i, request::iommu_destroy, argument), fails(Errno::einval));
  argument = {16, 0, 0, 0};
  report.expect("size 16, zero tail", call(k, i, request::iommu_destroy, argument), fails(Errno::enoent));
  argument = {16, 0, 1, 0};
  report.expect("size 16, other tail", call(k, i, request::iommu_destroy, argument), fails(Errno::e2big));
  report.expect("null", k.ioctl(i, request::iommu_destroy, nullptr), fails(Errno::efault));
  report.expect("command 0x7f", call(k, i, 0x3b7f, argument), fails(Errno::enotty));
  report.expect("command 0x95", call(k, i, 0x3b95, argument), fails(Errno::enotty));
  report.expect("a number with another type", call(k, i, 0x3a80, argument), fails(Errno::enotty));
  report.expect("... of nothing", k.ioctl(i, 0x3a80, nullptr), fails(Errno::efault));
  report.expect("IOAS_ALLOC flags 1", alloc_ioas(k, i, 1), fails(Errno::eopnotsupp));
}

void i03(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const std::uint64_t b = map_anonymous(k, 64);
  (void)alloc_ioas(k, i);
  report.expect("flags 0", map_memory(k, i, {1, 0x100000, b, kPage, 0}), fails(Errno::einval));
  report.expect("flag 8", map_memory(k, i, {1, 0x100000, b, kPage, kFixed | kReadWrite | 8}), fails(Errno::eopnotsupp));
  report.expect("unknown IOAS", map_memory(k, i, {9, 0x100000, b}), fails(Errno::enoent));
  report.expect("length 0", map_memory(k, i, {1, 0x100000, b, 0}), fails(Errno::einval));
  report.expect("iova 2^64-1", map_memory(k, i, {1, kEnd, b}), fails(Errno::eoverflow));
  report.expect("length 2^64-1", map_memory(k, i, {1, 0, b, kEnd}), fails(Errno::eoverflow));
  report.expect("address wraps", map_memory(k, i, {1, 0, kEnd - 10, kPage}), fails(Errno::eoverflow));
  report.expect("100 bytes anywhere in a page", map_memory(k, i, {1, 0x100010, b + 16, 100}), 0);
  report.expect("overlap", map_memory(k, i, {1, 0x100020, b}), fails(Errno::eexist));
  report.expect("iova wraps", map_memory(k, i, {1, kEnd - 99, b}), fails(Errno::eoverflow));
  report.expect("nothing at the address", map_memory(k, i, {1, 0x200000, kNowhere}), 0);
  report.expect("the kernel chooses, not 0", map_anywhere(k, i, 1, b, kPage) > 0, 1);
}

void i04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const std::uint64_t b = map_anonymous(k, 64);
  (void)alloc_ioas(k, i);
  report.expect("nothing mapped, all", unmap_memory(k, i, 1, 0, kEnd), 0);
  report.expect("nothing mapped, a range", unmap_memory(k, i, 1, 0x100000, kPage), fails(Errno::enoent));
  for (std::uint64_t n = 0; n < 3; ++n) (void)map_memory(k, i, {1, 0x100000 + n * 2 * kPage, b, 2 * kPage});
  report.expect("unknown IOAS", unmap_memory(k, i, 9, 0, kEnd), fails(Errno::enoent));
  report.expect("length 0", unmap_memory(k, i, 1, 0x100000, 0), fails(Errno::einval));
  report.expect("length 2^64-1", unmap_memory(k, i, 1, kPage, kEnd), fails(Errno::eoverflow));
  report.expect("wrap", unmap_memory(k, i, 1, kEnd - 1, kPage), fails(Errno::eoverflow));
  report.expect("cut on the left", unmap_memory(k, i, 1, 0x101000, 3 * kPage), fails(Errno::enoent));
  report.expect("cut on the right", unmap_memory(k, i, 1, 0x100000, 3 * kPage), fails(Errno::enoent));
  report.expect("the first went all the same", unmap_memory(k, i, 1, 0x100000, 2 * kPage), fails(Errno::enoent));
  report.expect("the second is there", unmap_memory(k, i, 1, 0x102000, 2 * kPage), 2 * kPage);
  report.expect("more than there is", unmap_memory(k, i, 1, 0, 0x1000000), 2 * kPage);
}

void i05(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const int file = make_memfd(k, 4);
  const int null = k.open("/dev/null", abi::o_rdwr).value_or(-1);
  (void)alloc_ioas(k, i);
  report.expect("bad descriptor", map_file(k, i, 999, {1, 0x100000}), fails(Errno::ebadf));
  report.expect("length 0", map_file(k, i, file, {1, 0x100000, 0, 0}), fails(Errno::einval));
  report.expect("start wraps", map_file(k, i, file, {1, 0x100000, kEnd, kPage}), fails(Errno::eoverflow));
  report.expect("beyond the end", map_file(k, i, file, {1, 0x100000, 0, 8 * kPage}), 0);
  report.expect("/dev/null", map_file(k, i, null, {1, 0x200000}), 0);
}

void i06(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const int file = make_memfd(k, 4);
  const std::uint64_t b = map_anonymous(k, 1);
  report.expect("no IOAS", change_process(k, i), 0);
  report.expect("reserved", change_process(k, i, 1), fails(Errno::eopnotsupp));
  (void)alloc_ioas(k, i);
  report.expect("empty IOAS", change_process(k, i), 0);
  report.expect("MAP_FILE", map_file(k, i, file, {1, 0x100000, 0, 4 * kPage}), 0);
  report.expect("same process", change_process(k, i), 0);
  world.in_child([i](World& child, Report& r) { r.expect("child", change_process(child.kernel(), i), 0); }, report);
  report.expect("2nd IOAS", alloc_ioas(k, i), 2);
  report.expect("an address in it", map_memory(k, i, {2, 0x100000, b}), 0);
  report.expect("not for addresses", change_process(k, i), fails(Errno::einval));
  report.expect("UNMAP it", unmap_memory(k, i, 2, 0, kEnd), kPage);
  report.expect("again", change_process(k, i), 0);
}

void i07(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const std::uint64_t b = map_anonymous(k, 8);
  (void)alloc_ioas(k, i);
  (void)alloc_ioas(k, i);
  (void)map_memory(k, i, {1, 0x100000, b, 2 * kPage});
  (void)map_memory(k, i, {1, 0x102000, b + 4 * kPage, 2 * kPage, kFixed | abi::iommu_ioas_map_readable});
  const auto copy = [&](std::uint64_t from, std::uint64_t length, std::uint64_t to, std::uint32_t rights) {
    abi::iommu_ioas_copy argument{sizeof argument, kFixed | rights, 2, 1, length, to, from};
    return call(k, i, request::iommu_ioas_copy, argument);
  };
  report.expect("no rights", copy(0x100000, kPage, 0x100000, 0), fails(Errno::einval));
  report.expect("a gap", copy(0x103000, 2 * kPage, 0x100000, kReadWrite), fails(Errno::enoent));
  report.expect("length 0", copy(0x100000, 0, 0x100000, kReadWrite), fails(Errno::einval));
  report.expect("write to what is read-only", copy(0x101000, 2 * kPage, 0x100000, kReadWrite), fails(Errno::eperm));
  report.expect("two areas", copy(0x101000, 2 * kPage, 0x100000, abi::iommu_ioas_map_readable), 0);
  report.expect("overlap", copy(0x100000, kPage, 0x101000, kReadWrite), fails(Errno::eexist));
  report.expect("UNMAP the source", unmap_memory(k, i, 1, 0, kEnd), 4 * kPage);
  report.expect("the copies are two areas", unmap_memory(k, i, 2, 0x100000, kPage), kPage);
  report.expect("DESTROY unmaps the rest", destroy_object(k, i, 2), 0);
}

void i08(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const std::uint32_t mode = abi::iommu_option_rlimit_mode;
  const std::uint32_t huge = abi::iommu_option_huge_pages;
  report.expect("GET RLIMIT_MODE", get_option(k, i, mode, 0), 0);
  report.expect("SET 1", set_option(k, i, mode, 0, 1), 1);
  report.expect("SET 2", set_option(k, i, mode, 0, 2), fails(Errno::einval));
  report.expect("of an object", get_option(k, i, mode, 1), fails(Errno::eopnotsupp));
  (void)alloc_ioas(k, i);
  report.expect("SET with objects", set_option(k, i, mode, 0, 0), fails(Errno::ebusy));
  report.expect("option 9", get_option(k, i, 9, 0), fails(Errno::eopnotsupp));
  report.expect("HUGE_PAGES", get_option(k, i, huge, 1), 1);
  report.expect("of no IOAS", get_option(k, i, huge, 9), fails(Errno::enoent));
  report.expect("SET 2", set_option(k, i, huge, 1, 2), fails(Errno::einval));
  report.expect("a misaligned area", map_memory(k, i, {1, 0x100010, kNowhere + 16, 100}), 0);
  report.expect("SET 0 with it", set_option(k, i, huge, 1, 0), fails(Errno::eaddrinuse));
  report.expect("without", unmap_memory(k, i, 1, 0, kEnd), 100);
  report.expect("SET 0", set_option(k, i, huge, 1, 0), 0);
  report.expect("now pages only", map_memory(k, i, {1, 0x100010, kNowhere + 16, 100}), fails(Errno::einval));
  world.drop_privileges();
  report.expect("SET without CAP_SYS_RESOURCE", set_option(k, i, mode, 0, 0), fails(Errno::eperm));
}

void i09(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  const std::uint64_t b = map_anonymous(k, 1);
  std::array<abi::iommu_iova_range, 2> ranges{};
  const auto address = reinterpret_cast<std::uintptr_t>(ranges.data());
  (void)alloc_ioas(k, i);
  abi::iommu_ioas_iova_ranges get{sizeof get, 1, 1, 0, address, 0};
  report.expect("room for 1", call(k, i, request::iommu_ioas_iova_ranges, get), 0);
  report.expect("one range", get.num_iovas, 1);
  report.expect("all there is", ranges[0].start == 0 && ranges[0].last == kEnd, 1);
  report.expect("alignment", static_cast<Outcome>(get.out_iova_alignment), 1);
  get.num_iovas = 0;
  report.expect("room for none", call(k, i, request::iommu_ioas_iova_ranges, get), fails(Errno::emsgsize));
  report.expect("one range", get.num_iovas, 1);
  const auto allow = [&](std::uint32_t count) {
    abi::iommu_ioas_allow_iovas argument{sizeof argument, 1, count, 0, address};
    return call(k, i, request::iommu_ioas_allow_iovas, argument);
  };
  ranges = {{{5, 5}, {}}};
  report.expect("start not below last", allow(1), fails(Errno::einval));
  ranges = {{{0x1000000, 0x1ffffff}, {0x1f00000, 0x2ffffff}}};
  report.expect("overlap", allow(2), fails(Errno::einval));
  report.expect("ALLOW", allow(1), 0);
  const Outcome iova = map_anywhere(k, i, 1, b, kPage);
  report.expect("inside the window", iova >= 0x1000000 && iova < 0x2000000, 1);
  report.expect("too long for it", map_anywhere(k, i, 1, b, 0x1000001), fails(Errno::enospc));
  report.expect("a fixed one outside", map_memory(k, i, {1, 0x9000000, b}), 0);
}

void i10(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int i = open_iommu(k);
  int queue = -1;
  report.expect("ALLOC", alloc_fault_queue(k, i, queue), 1);
  report.expect("close-on-exec", k.fcntl(queue, abi::f_getfd, 0), 1);
  report.expect("DESTROY, file open", destroy_object(k, i, 1), fails(Errno::ebusy));
  report.expect("read, no fault there", read_bytes(k, queue, sizeof(abi::iommu_hwpt_pgfault)), 0);
  report.expect("read of a part", read_bytes(k, queue, 1), fails(Errno::espipe));
  report.expect("close", k.close(queue), 0);
  report.expect("DESTROY", destroy_object(k, i, 1), 0);
  abi::iommu_fault_alloc flags{sizeof flags, 1, 0, 0};
  report.expect("flags", call(k, i, request::iommu_fault_queue_alloc, flags), fails(Errno::eopnotsupp));
}

constexpr std::array kCases = {
    Case{"I01", "ids", Feature::iommufd, i01},
    Case{"I02", "size rules", Feature::iommufd, i02},
    Case{"I03", "MAP without a domain is lazy", Feature::iommufd, i03},
    Case{"I04", "UNMAP", Feature::iommufd, i04},
    Case{"I05", "MAP_FILE without a domain is lazy", Feature::iommufd, i05},
    Case{"I06", "CHANGE_PROCESS", Feature::iommufd, i06},
    Case{"I07", "COPY", Feature::iommufd, i07},
    Case{"I08", "OPTION", Feature::iommufd, i08},
    Case{"I09", "IOVA_RANGES, ALLOW_IOVAS", Feature::iommufd, i09},
    Case{"I10", "FAULT_QUEUE", Feature::iommufd, i10},
};

}  // namespace

std::span<const Case> iommufd_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
