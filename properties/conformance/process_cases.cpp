// Descriptor tables, limits, environment, fork and execve.
#include <array>
#include <charconv>
#include <string>

#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

namespace {

// Numbers by which the two halves of an exec case know their descriptors
constexpr int kKept = 700;
constexpr int kClosed = 701;
constexpr int kSecond = 702;

int move_to(os::Kernel& k, int fd, int number, bool close_on_exec) {
  const int moved = k.fcntl(fd, close_on_exec ? abi::f_dupfd_cloexec : abi::f_dupfd, number).value_or(-1);
  (void)k.close(fd);
  return moved;
}

void p01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int f = make_eventfd(k, 0);
  report.expect("F_DUPFD", k.fcntl(f, abi::f_dupfd, 600), 600);
  report.expect("its close-on-exec", k.fcntl(600, abi::f_getfd, 0), 0);
  report.expect("F_DUPFD again", k.fcntl(f, abi::f_dupfd, 600), 601);
  report.expect("F_DUPFD_CLOEXEC", k.fcntl(f, abi::f_dupfd_cloexec, 600), 602);
  report.expect("its close-on-exec", k.fcntl(602, abi::f_getfd, 0), 1);
  report.expect("close", k.close(601), 0);
  report.expect("the lowest free number", k.fcntl(f, abi::f_dupfd, 600), 601);
  report.expect("SETFD", k.fcntl(600, abi::f_setfd, abi::fd_cloexec), 0);
  report.expect("GETFD", k.fcntl(600, abi::f_getfd, 0), 1);
  report.expect("only of that number", k.fcntl(601, abi::f_getfd, 0), 0);
  report.expect("negative", k.fcntl(f, abi::f_dupfd, -1), fails(Errno::einval));
  report.expect("bad descriptor", k.fcntl(999, abi::f_dupfd, 0), fails(Errno::ebadf));
  report.expect("unknown command", k.fcntl(f, 0x7777, 0), fails(Errno::einval));
  report.expect("close", k.close(600), 0);
  report.expect("close again", k.close(600), fails(Errno::ebadf));
}

void p02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  const int f = make_eventfd(k, 0);
  world.set_descriptor_limit(static_cast<std::uint32_t>(f) + 1);
  report.expect("eventfd", k.eventfd(0, 0), fails(Errno::emfile));
  report.expect("memfd_create", k.memfd_create("g", 0), fails(Errno::emfile));
  report.expect("socket", k.socket(abi::af_unix, abi::sock_stream, 0), fails(Errno::emfile));
  report.expect("open", k.open("/dev/null", abi::o_rdonly), fails(Errno::emfile));
  report.expect("F_DUPFD", k.fcntl(f, abi::f_dupfd, 0), fails(Errno::emfile));
  report.expect("F_DUPFD at the limit", k.fcntl(f, abi::f_dupfd, f + 1), fails(Errno::einval));
  (void)k.close(p.probe);
  const auto pair = k.socketpair(abi::af_unix, abi::sock_stream, 0);
  report.expect("socketpair needs two", pair ? 0 : fails(pair.error()), fails(Errno::emfile));
  report.expect("one is free", k.eventfd(0, 0), p.probe);
}

void p03(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const auto get = [&](const char* name) { return k.getenv(name).value_or("(none)"); };
  const auto expect = [&](std::string_view step, const std::string& got, std::string_view wanted) {
    if (got != wanted) report.add(std::string(step) + ": got " + got + ", wanted " + std::string(wanted));
  };
  expect("unset", get("VCPR_A"), "(none)");
  report.expect("setenv", k.setenv("VCPR_A", "one"), 0);
  expect("set", get("VCPR_A"), "one");
  report.expect("setenv again", k.setenv("VCPR_A", ""), 0);
  expect("empty is not unset", get("VCPR_A"), "");
  report.expect("unsetenv", k.unsetenv("VCPR_A"), 0);
  report.expect("unsetenv of nothing", k.unsetenv("VCPR_A"), 0);
  expect("unset", get("VCPR_A"), "(none)");
  report.expect("no name", k.setenv("", "x"), fails(Errno::einval));
  report.expect("= in a name", k.setenv("A=B", "x"), fails(Errno::einval));
  report.expect("unsetenv, = in a name", k.unsetenv("A=B"), fails(Errno::einval));
}

void p04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int counter = make_eventfd(k, 0);
  const int file = k.memfd_create("g", 0).value_or(-1);
  const Pairs p(k);
  world.in_child(
      [&](World& child, Report& of_child) {
        os::Kernel& c = child.kernel();
        of_child.expect("signal", write_counter(c, counter, 3), 8);
        of_child.expect("write moves the shared offset", write_text(c, file, "abc"), 3);
        of_child.expect("status flags", c.fcntl(p.left, abi::f_setfl, 0), 0);
        of_child.expect("close in the child", c.close(p.watch), 0);
        of_child.expect("environment", c.setenv("VCPR_CHILD", "1"), 0);
      },
      report);
  report.expect("the counter is shared", read_counter(k, counter), 3);
  report.expect("the offset is shared", k.lseek(file, 0, abi::seek_cur), 3);
  report.expect("the status flags are shared", k.fcntl(p.left, abi::f_getfl, 0), abi::o_rdwr);
  report.expect("the table is not", k.fcntl(p.watch, abi::f_getfd, 0), abi::fd_cloexec);
  report.expect("the environment is not", k.getenv("VCPR_CHILD").has_value(), 0);
  report.expect("the child's end dropped its references only", read_bytes(k, p.watch, 1), fails(Errno::eagain));
}

void p05_before(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int kept = k.memfd_create("kept", 0).value_or(-1);
  report.expect("write", write_text(k, kept, "state"), 5);
  report.expect("kept", move_to(k, kept, kKept, false), kKept);
  report.expect("closed", move_to(k, make_eventfd(k, 1), kClosed, true), kClosed);
  report.expect("cleared", move_to(k, make_eventfd(k, 9), kSecond, true), kSecond);
  report.expect("clear close-on-exec", k.fcntl(kSecond, abi::f_setfd, 0), 0);
  report.expect("setenv", k.setenv("VCPR_STATE", "700"), 0);
  report.expect("exec of nothing", k.execve("", {}), fails(Errno::enoent));
}

void p05_after(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  report.expect("closed", k.fcntl(kClosed, abi::f_getfd, 0), fails(Errno::ebadf));
  report.expect("kept, still without close-on-exec", k.fcntl(kKept, abi::f_getfd, 0), 0);
  report.expect("its offset", k.lseek(kKept, 0, abi::seek_cur), 5);
  std::array<std::byte, 8> contents;
  report.expect("its contents", k.pread(kKept, contents, 0), 5);
  report.expect("the counter", read_counter(k, kSecond), 9);
  report.expect("the environment", k.getenv("VCPR_STATE") == "700", 1);
}

void p06_before(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "in flight", {p.probe});
  (void)k.close(p.probe);
  report.expect("a socket with a queue", move_to(k, p.right, kKept, false), kKept);
  report.expect("the watch", move_to(k, p.watch, kSecond, false), kSecond);
  // p.left is close-on-exec: the peer goes with the old image
}

void p06_after(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  report.expect("hung up", events(k, kKept), abi::pollin | abi::pollout | abi::pollhup | abi::pollrdhup);
  report.expect("the probe lives in the queue", read_bytes(k, kSecond, 1), fails(Errno::eagain));
  const Arrived arrived = receive(k, kKept, 100, 100);
  report.expect("bytes", arrived.bytes, 9);
  report.expect("descriptors", static_cast<Outcome>(arrived.fds.size()), 1);
  report.expect("then the end", receive(k, kKept, 100, 100).bytes, 0);
}

void p07(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int null = k.open("/dev/null", abi::o_rdwr | abi::o_cloexec).value_or(-1);
  const int zero = k.open("/dev/zero", abi::o_rdonly).value_or(-1);
  report.expect("read null", read_bytes(k, null, 4), 0);
  report.expect("write null", write_text(k, null, "abc"), 3);
  report.expect("read zero", read_bytes(k, zero, 4), 4);
  report.expect("write zero, read-only", write_text(k, zero, "abc"), fails(Errno::ebadf));
  report.expect("null is a character device", k.fstat(null).value_or(os::Stat{}).mode, 0020666);
  report.expect("number of null", static_cast<Outcome>(k.fstat(null).value_or(os::Stat{}).special_device), 0x103);
  report.expect("number of zero", static_cast<Outcome>(k.fstat(zero).value_or(os::Stat{}).special_device), 0x105);
  report.expect("ioctl", k.ioctl(null, 0x3b64, nullptr), fails(Errno::enotty));
  report.expect("ioctl, bad descriptor", k.ioctl(999, 0x3b64, nullptr), fails(Errno::ebadf));
  report.expect("lseek", k.lseek(null, 9, abi::seek_set), 0);
  report.expect("nothing there", k.open("/dev/nothing-there", abi::o_rdonly), fails(Errno::enoent));
  std::array<char, 32> buffer{};
  report.expect("readlink", k.readlink("/dev/null", buffer), fails(Errno::einval));
  report.expect("poll", events(k, null), abi::pollin | abi::pollout);
}

void p08(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  std::array<os::PollFd, 3> fds{
      os::PollFd{-1, abi::pollin, 99}, {make_eventfd(k, 1), abi::pollin, 0}, {999, abi::pollin, 0}};
  report.expect("poll", k.poll(fds, {0}), 2);
  report.expect("a negative number is skipped", fds[0].revents, 0);
  report.expect("a readable one", fds[1].revents, abi::pollin);
  report.expect("a closed one", fds[2].revents, abi::pollnval);
  const std::uint64_t before = k.now();
  fds[1].fd = -1;
  fds[2].fd = -1;
  constexpr std::uint64_t kWait = 2'000'000;
  report.expect("nothing to wait for", k.poll(fds, {before + kWait}), 0);
  report.expect("the deadline has passed", k.now() >= before + kWait, 1);
}

constexpr std::array kCases = {
    Case{"P01", "duplicates and close-on-exec", Feature::none, p01},
    Case{"P02", "the descriptor limit", Feature::none, p02},
    Case{"P03", "the environment", Feature::none, p03},
    Case{"P04", "what a fork shares", Feature::none, p04},
    Case{"P05", "what an exec keeps", Feature::none, p05_before, p05_after},
    Case{"P06", "an exec hangs up, a queue survives", Feature::none, p06_before, p06_after},
    Case{"P07", "device nodes", Feature::none, p07},
    Case{"P08", "poll", Feature::none, p08},
};

}  // namespace

std::span<const Case> process_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
