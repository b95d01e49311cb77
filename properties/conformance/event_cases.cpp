// eventfd: kernel-contract rules on counters, sizes and poll bits.
#include <array>

#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0};
constexpr Outcome kIn = abi::pollin;
constexpr Outcome kOut = abi::pollout;

void e01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 0);
  report.expect("read", read_counter(k, f), fails(Errno::eagain));
  report.expect("poll", events(k, f), kOut);
}

void e02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 3);
  report.expect("poll", events(k, f), kIn | kOut);
  report.expect("read", read_counter(k, f), 3);
  report.expect("read again", read_counter(k, f), fails(Errno::eagain));
}

void e03(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 3, abi::efd_semaphore);
  for (int i = 0; i < 3; ++i) report.expect("read", read_counter(k, f), 1);
  report.expect("read a fourth time", read_counter(k, f), fails(Errno::eagain));
}

void e04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 0);
  report.expect("write 5", write_counter(k, f, 5), 8);
  report.expect("write 7", write_counter(k, f, 7), 8);
  report.expect("read", read_counter(k, f), 12);
}

void e05(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 0);
  report.expect("write 2^64-1", write_counter(k, f, kMost), fails(Errno::einval));
  report.expect("write 2^64-2", write_counter(k, f, kMost - 1), 8);
  report.expect("poll, full", events(k, f), kIn);
  report.expect("write 1 more", write_counter(k, f, 1), fails(Errno::eagain));
  report.expect("write 0 more", write_counter(k, f, 0), 8);
  report.expect("read", read_counter(k, f), static_cast<Outcome>(kMost - 1));
}

void e06(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 0);
  report.expect("write 4 bytes", write_text(k, f, "abcd"), fails(Errno::einval));
  const std::array<std::byte, 16> two_values{std::byte{1}};
  report.expect("write 16 bytes", k.write(f, two_values), fails(Errno::einval));
  report.expect("write 1", write_counter(k, f, 1), 8);
  report.expect("read into 4 bytes", read_bytes(k, f, 4), fails(Errno::einval));
  report.expect("read into 16 bytes", read_bytes(k, f, 16), 8);
}

void e07(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 0);
  report.expect("write 0", write_counter(k, f, 0), 8);
  report.expect("poll", events(k, f), kOut);
  report.expect("read", read_counter(k, f), fails(Errno::eagain));
}

void e08(World& world, Report& report) {
  report.expect("eventfd2(0, 0x10)", world.kernel().eventfd(0, 0x10), fails(Errno::einval));
}

void e09(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 0);
  const int g = k.fcntl(f, abi::f_dupfd, 0).value_or(-1);
  report.expect("write", write_counter(k, f, 4), 8);
  report.expect("read the duplicate", read_counter(k, g), 4);
  report.expect("read the original", read_counter(k, f), fails(Errno::eagain));
}

void e10(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 7);
  report.expect("initial values have 32 bits", read_counter(k, make_eventfd(k, 0xffffffffu)), 0xffffffff);
  report.expect("lseek", k.lseek(f, 5, abi::seek_set), 0);
  std::uint64_t value = 1;
  report.expect("ftruncate", k.ftruncate(f, 0), fails(Errno::einval));
  report.expect("mmap", k.mmap(os::UserAddr(), kPage, abi::prot_read, abi::map_shared, f, 0), fails(Errno::enodev));
  report.expect("ADD_SEALS", k.fcntl(f, abi::f_add_seals, 0), fails(Errno::einval));
  report.expect("sendmsg", k.sendmsg(f, std::as_bytes(std::span(&value, 1)), {}, 0), fails(Errno::enotsock));
  report.expect("GETFL", k.fcntl(f, abi::f_getfl, 0), abi::o_rdwr | abi::o_nonblock);
  report.expect("GETFD", k.fcntl(f, abi::f_getfd, 0), abi::fd_cloexec);
}

constexpr std::array kCases = {
    Case{"E01", "an empty counter cannot be read", Feature::none, e01},
    Case{"E02", "a read takes the whole counter", Feature::none, e02},
    Case{"E03", "a semaphore gives one at a time", Feature::none, e03},
    Case{"E04", "writes add up", Feature::none, e04},
    Case{"E05", "the counter ends at 2^64-2", Feature::none, e05},
    Case{"E06", "a write has 8 bytes, a read at least 8", Feature::exact_eventfd_write, e06},
    Case{"E07", "writing 0 leaves the count", Feature::none, e07},
    Case{"E08", "unknown flags are refused", Feature::none, e08},
    Case{"E09", "duplicates share the counter", Feature::none, e09},
    Case{"E10", "what an eventfd is not", Feature::none, e10},
};

}  // namespace

std::span<const Case> event_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
