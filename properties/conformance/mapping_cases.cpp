// mmap, munmap, mprotect: what is where, and what a store reaches.
#include <array>

#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

namespace {

constexpr int kReadWrite = abi::prot_read | abi::prot_write;
constexpr int kAnonymous = abi::map_private | abi::map_anonymous;

Outcome value_at(World& world, os::UserAddr address) {
  std::byte byte{};
  return world.load(address, {&byte, 1}) ? static_cast<Outcome>(byte) : fails(Errno::efault);
}
Outcome put(World& world, os::UserAddr address, int value) {
  const auto byte = static_cast<std::byte>(value);
  return world.store(address, {&byte, 1}) ? 0 : fails(Errno::efault);
}
Outcome outcome(const os::Result<os::UserAddr>& mapped) {
  return mapped ? 0 : fails(mapped.error());
}

void a01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const os::UserAddr none;
  report.expect("length 0", outcome(k.mmap(none, 0, kReadWrite, kAnonymous, -1, 0)), fails(Errno::einval));
  report.expect("no sharing", outcome(k.mmap(none, kPage, kReadWrite, abi::map_anonymous, -1, 0)),
                fails(Errno::einval));
  report.expect("bad descriptor", outcome(k.mmap(none, kPage, kReadWrite, abi::map_shared, 999, 0)),
                fails(Errno::ebadf));
  report.expect("offset inside a page", outcome(k.mmap(none, kPage, kReadWrite, abi::map_shared, 999, 1)),
                fails(Errno::einval));
  report.expect("too long", outcome(k.mmap(none, ~std::uint64_t{0} - kPage, kReadWrite, kAnonymous, -1, 0)),
                fails(Errno::enomem));
  report.expect("a socket", outcome(k.mmap(none, kPage, kReadWrite, abi::map_shared, Pairs(k).left, 0)),
                fails(Errno::enodev));
  report.expect("munmap inside a page", k.munmap(os::UserAddr(kPage + 1), kPage), fails(Errno::einval));
  report.expect("munmap of 0", k.munmap(os::UserAddr(kPage), 0), fails(Errno::einval));
}

void a02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const auto area = k.mmap(os::UserAddr(), 3 * kPage, kReadWrite, kAnonymous, -1, 0).value_or(os::UserAddr());
  report.expect("fresh memory", value_at(world, area), 0);
  report.expect("store", put(world, area + kPage, 5), 0);
  report.expect("unmap the middle", k.munmap(area + kPage, kPage), 0);
  report.expect("load there", value_at(world, area + kPage), fails(Errno::efault));
  report.expect("load before it", value_at(world, area), 0);
  report.expect("load after it", value_at(world, area + 2 * kPage), 0);
  report.expect("unmap it again", k.munmap(area + kPage, kPage), 0);
  const int fixed = kAnonymous | abi::map_fixed_noreplace;
  report.expect("no replacement", outcome(k.mmap(area, kPage, kReadWrite, fixed, -1, 0)), fails(Errno::eexist));
  report.expect("into the gap", outcome(k.mmap(area + kPage, kPage, kReadWrite, fixed, -1, 0)), 0);
  report.expect("it is new memory", value_at(world, area + kPage), 0);
  report.expect("store", put(world, area + kPage, 6), 0);
  report.expect("replace", outcome(k.mmap(area, 3 * kPage, kReadWrite, kAnonymous | abi::map_fixed, -1, 0)), 0);
  report.expect("new again", value_at(world, area + kPage), 0);
}

void a03(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const auto area = k.mmap(os::UserAddr(), 3 * kPage, kReadWrite, kAnonymous, -1, 0).value_or(os::UserAddr());
  report.expect("the middle read-only", k.mprotect(area + kPage, kPage, abi::prot_read), 0);
  report.expect("store there", put(world, area + kPage, 1), fails(Errno::efault));
  report.expect("store before it", put(world, area, 1), 0);
  report.expect("store after it", put(world, area + 2 * kPage, 1), 0);
  report.expect("inside a page", k.mprotect(area + 1, kPage, kReadWrite), fails(Errno::einval));
  report.expect("of nothing", k.mprotect(area, 0, abi::prot_none), 0);
  report.expect("a hole", k.munmap(area + 2 * kPage, kPage), 0);
  report.expect("over the hole", k.mprotect(area, 3 * kPage, abi::prot_none), fails(Errno::enomem));
  report.expect("what lies before it changed", value_at(world, area), fails(Errno::efault));
}

void a04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = k.memfd_create("g", 0).value_or(-1);
  (void)k.ftruncate(f, 2 * kPage);
  const auto map = [&](int flags) {
    return k.mmap(os::UserAddr(), 2 * kPage, kReadWrite, flags, f, 0).value_or(os::UserAddr());
  };
  const auto shared = map(abi::map_shared);
  const auto other = map(abi::map_shared);
  const auto own = map(abi::map_private);
  report.expect("store", put(world, shared, 3), 0);
  report.expect("seen by the other mapping", value_at(world, other), 3);
  report.expect("and by an untouched private one", value_at(world, own), 3);
  report.expect("store privately", put(world, own, 4), 0);
  report.expect("seen there", value_at(world, own), 4);
  report.expect("and nowhere else", value_at(world, shared), 3);
  (void)k.close(f);
  report.expect("a mapping needs no descriptor", value_at(world, shared), 3);
}

void a05(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = k.memfd_create("g", 0).value_or(-1);
  (void)k.ftruncate(f, kPage);
  const auto area = k.mmap(os::UserAddr(), 2 * kPage, kReadWrite, abi::map_shared, f, 0).value_or(os::UserAddr());
  report.expect("within the file", value_at(world, area + (kPage - 1)), 0);
  report.expect("beyond its end", value_at(world, area + kPage), fails(Errno::efault));
  (void)k.ftruncate(f, kPage + 1);
  report.expect("the file grew", value_at(world, area + (2 * kPage - 1)), 0);
}

void a06(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const auto own = k.mmap(os::UserAddr(), kPage, kReadWrite, kAnonymous, -1, 0).value_or(os::UserAddr());
  const auto shared =
      k.mmap(os::UserAddr(), kPage, kReadWrite, abi::map_shared | abi::map_anonymous, -1, 0).value_or(os::UserAddr());
  (void)put(world, own, 1);
  (void)put(world, shared, 1);
  world.in_child(
      [&](World& child, Report& of_child) {
        of_child.expect("the child inherits private memory", value_at(child, own), 1);
        of_child.expect("store", put(child, own, 2), 0);
        of_child.expect("store", put(child, shared, 2), 0);
      },
      report);
  report.expect("private memory stays apart", value_at(world, own), 1);
  report.expect("shared memory does not", value_at(world, shared), 2);
}

constexpr std::array kCases = {
    Case{"A01", "bad arguments", Feature::none, a01},
    Case{"A02", "munmap splits, MAP_FIXED replaces", Feature::none, a02},
    Case{"A03", "mprotect", Feature::none, a03},
    Case{"A04", "shared and private mappings of a memfd", Feature::none, a04},
    Case{"A05", "a mapping ends with its file", Feature::none, a05},
    Case{"A06", "fork and memory", Feature::none, a06},
};

}  // namespace

std::span<const Case> mapping_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
