// SCM_RIGHTS: how many descriptors travel, with which byte, and what becomes of those that find no room.
#include <array>
#include <cstring>

#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

namespace {

constexpr std::size_t kRoomy = 8000;
constexpr Outcome kGone = 0;  // end of file at the watch: nobody holds the probe

Outcome count(const Arrived& arrived) {
  return static_cast<Outcome>(arrived.fds.size());
}

void s01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  const std::vector<int> most(os::kScmMaxFd, p.probe);
  report.expect("send 253", send(k, p.left, "x", most), 1);
  const Arrived arrived = receive(k, p.right, 10, kRoomy);
  report.expect("bytes", arrived.bytes, 1);
  report.expect("descriptors", count(arrived), 253);
  report.expect("headers", arrived.headers, 1);
  report.expect("MSG_CTRUNC", arrived.truncated, 0);
}

void s02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  const std::vector<int> too_many(os::kScmMaxFd + 1, p.probe);
  report.expect("send 254", send(k, p.left, "x", too_many), fails(Errno::einval));
  report.expect("receive", receive(k, p.right, 10, kRoomy).bytes, fails(Errno::eagain));
}

void s03(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  const std::vector<int> first(200, p.probe);
  const std::vector<int> second(53, p.probe);
  const std::vector<int> one_more(54, p.probe);
  report.expect("send 200 + 53", send(k, p.left, "x", first, second), 1);
  const Arrived arrived = receive(k, p.right, 10, kRoomy);
  report.expect("headers", arrived.headers, 1);
  report.expect("descriptors", count(arrived), 253);
  report.expect("send 200 + 54", send(k, p.left, "x", first, one_more), fails(Errno::einval));
}

void s04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  const int null = k.open("/dev/null", abi::o_rdonly | abi::o_cloexec).value_or(-1);
  const int zero = k.open("/dev/zero", abi::o_rdonly | abi::o_cloexec).value_or(-1);
  report.expect("send", send(k, p.left, "x", {zero, null, p.probe}), 1);
  const Arrived arrived = receive(k, p.right, 10, kRoomy);
  report.expect("descriptors", count(arrived), 3);
  if (count(arrived) != 3) return;
  report.expect("first", same_file(k, arrived.fds[0], zero), 1);
  report.expect("second", same_file(k, arrived.fds[1], null), 1);
  report.expect("third", same_file(k, arrived.fds[2], p.probe), 1);
}

void s05(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  report.expect("send 5", send(k, p.left, "x", {p.probe, p.probe, p.probe, p.probe, p.probe}), 1);
  (void)k.close(p.probe);
  const Arrived arrived = receive(k, p.right, 10, os::kControlHeaderBytes + 8);
  report.expect("descriptors", count(arrived), 2);
  report.expect("MSG_CTRUNC", arrived.truncated, 1);
  close_all(k, arrived.fds);
  report.expect("the rest was released", read_bytes(k, p.watch, 1), kGone);
}

void s06(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  report.expect("send", send(k, p.left, "xy", {p.probe}), 2);
  (void)k.close(p.probe);
  const Arrived arrived = receive(k, p.right, 1, 0);
  report.expect("bytes", arrived.bytes, 1);
  report.expect("MSG_CTRUNC", arrived.truncated, 1);
  report.expect("released", read_bytes(k, p.watch, 1), kGone);
  report.expect("the second byte carries none", receive(k, p.right, 10, kRoomy).bytes, 1);
}

void s07(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  report.expect("send 5", send(k, p.left, "x", {p.probe, p.probe, p.probe, p.probe, p.probe}), 1);
  const Arrived arrived = receive(k, p.right, 10, os::scm_rights_space(3));
  report.expect("descriptors", count(arrived), 4);
  report.expect("MSG_CTRUNC", arrived.truncated, 1);
}

void s08(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "x", {p.probe});
  (void)send(k, p.left, "x", {p.probe});
  const Arrived plain = receive(k, p.right, 1, 100);
  report.expect("plain", count(plain) == 1 ? outcome(k.fcntl(plain.fds[0], abi::f_getfd, 0)) : -1, 0);
  const Arrived asked = receive(k, p.right, 1, 100, abi::msg_cmsg_cloexec);
  report.expect("MSG_CMSG_CLOEXEC", count(asked) == 1 ? outcome(k.fcntl(asked.fds[0], abi::f_getfd, 0)) : -1, 1);
}

void s09(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  report.expect("send", send(k, p.left, "x", {p.probe, p.probe, 999}), fails(Errno::ebadf));
  report.expect("receive", receive(k, p.right, 10, 100).bytes, fails(Errno::eagain));
  (void)k.close(p.probe);
  report.expect("nothing kept", read_bytes(k, p.watch, 1), kGone);
}

void s10(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "a", {p.probe});
  (void)send(k, p.left, "b", {p.probe, p.probe});
  const Arrived first = receive(k, p.right, 10, 100);
  report.expect("bytes", first.bytes, 1);
  report.expect("descriptors", count(first), 1);
  const Arrived second = receive(k, p.right, 10, 100);
  report.expect("bytes after it", second.bytes, 1);
  report.expect("descriptors after it", count(second), 2);
}

void s11(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "a");
  (void)send(k, p.left, "b", {p.probe, p.probe});
  (void)send(k, p.left, "c");
  const Arrived first = receive(k, p.right, 10, 100);
  report.expect("bytes", first.bytes, 2);
  report.expect("descriptors", count(first), 2);
  const Arrived second = receive(k, p.right, 10, 100);
  report.expect("bytes after it", second.bytes, 1);
  report.expect("descriptors after it", count(second), 0);
}

void s12(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "abc", {p.probe, p.probe});
  const Arrived first = receive(k, p.right, 1, 100);
  report.expect("bytes", first.bytes, 1);
  report.expect("descriptors", count(first), 2);
  const Arrived second = receive(k, p.right, 10, 100);
  report.expect("bytes after it", second.bytes, 2);
  report.expect("descriptors after it", count(second), 0);
}

void s13(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  report.expect("send no byte", send(k, p.left, "", {p.probe}), 0);
  report.expect("receive", receive(k, p.right, 10, 100).bytes, fails(Errno::eagain));
  (void)k.close(p.probe);
  report.expect("released", read_bytes(k, p.watch, 1), kGone);
}

void s14(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "x", {p.probe});
  (void)k.close(p.probe);
  report.expect("in flight is held", read_bytes(k, p.watch, 1), fails(Errno::eagain));
  (void)k.close(p.right);
  report.expect("released with the queue", read_bytes(k, p.watch, 1), kGone);
}

void s15(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "x", {p.probe, p.probe, p.probe});
  const int next = k.fcntl(p.probe, abi::f_dupfd, 0).value_or(-1);
  (void)k.close(next);
  (void)k.close(p.probe);  // one number below `next` is free as well
  world.set_descriptor_limit(static_cast<std::uint32_t>(next) + 1);
  const Arrived arrived = receive(k, p.right, 1, 100);
  report.expect("bytes", arrived.bytes, 1);
  report.expect("installed", count(arrived), 2);
  report.expect("MSG_CTRUNC", arrived.truncated, 1);
  close_all(k, arrived.fds);
  report.expect("the third was released", read_bytes(k, p.watch, 1), kGone);
}

void s16(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "x", {p.probe});
  const Arrived arrived = receive(k, p.right, 1, 100);
  if (count(arrived) != 1) return report.add("nothing arrived");
  report.expect("SETFL on the copy", k.fcntl(arrived.fds[0], abi::f_setfl, 0), 0);
  report.expect("status flags are shared", k.fcntl(p.probe, abi::f_getfl, 0), abi::o_rdwr);
  report.expect("FD_CLOEXEC is not", k.fcntl(p.probe, abi::f_getfd, 0), abi::fd_cloexec);
}

void s17(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "x", {p.probe});
  const Arrived peeked = receive(k, p.right, 1, 100, abi::msg_peek);
  report.expect("peeked bytes", peeked.bytes, 1);
  report.expect("peeked descriptors", count(peeked), 1);
  const Arrived taken = receive(k, p.right, 1, 100);
  report.expect("bytes", taken.bytes, 1);
  report.expect("descriptors", count(taken), 1);
}

void s18(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  const int file = k.memfd_create("offset", 0).value_or(-1);
  (void)write_text(k, file, "abcdef");
  (void)send(k, p.left, "x", {file});
  const Arrived arrived = receive(k, p.right, 1, 100);
  if (count(arrived) != 1) return report.add("nothing arrived");
  report.expect("the offset came along", k.lseek(arrived.fds[0], 0, abi::seek_cur), 6);
  report.expect("seek in the copy", k.lseek(arrived.fds[0], 2, abi::seek_set), 2);
  report.expect("seen in the original", k.lseek(file, 0, abi::seek_cur), 2);
}

void s19(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  world.drop_privileges();
  world.set_descriptor_limit(40);
  const std::vector<int> many(41, p.probe);
  report.expect("the limit is looked at before adding", send(k, p.left, "x", many), 1);
  report.expect("above it", send(k, p.left, "x", {p.probe}), fails(Errno::etoomanyrefs));
  report.expect("bytes alone", send(k, p.left, "y"), 1);
  (void)k.close(p.right);
  const auto fresh = k.socketpair(abi::af_unix, kNonBlockingStream, 0);
  if (!fresh) return report.add("no second pair");
  report.expect("below it again", send(k, fresh->first, "x", {p.probe}), 1);
}

void s20(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  report.expect("a socket over itself", send(k, p.left, "x", {p.right}), 1);
  report.expect("the probe behind it", send(k, p.left, "y", {p.probe}), 1);
  (void)k.close(p.probe);
  (void)k.close(p.right);
  report.expect("nobody looks yet", read_bytes(k, p.watch, 1), fails(Errno::eagain));
  (void)k.close(k.socket(abi::af_unix, kNonBlockingStream, 0).value_or(-1));
  constexpr std::uint64_t kCollectorTakes = 5'000'000'000;
  os::PollFd far_end{p.left, 0, 0};
  report.expect("hung up, sooner or later", k.poll({&far_end, 1}, {k.now() + kCollectorTakes}), 1);
  report.expect("what it queued is released", read_bytes(k, p.watch, 1), kGone);
}

void s21(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  std::array<std::byte, 24> control{};
  const auto message = std::as_bytes(std::span("x", 1));
  const auto with = [&](std::uint64_t length, std::int32_t level, std::int32_t type) {
    std::memcpy(control.data(), &length, 8);
    std::memcpy(control.data() + 8, &level, 4);
    std::memcpy(control.data() + 12, &type, 4);
    return k.sendmsg(p.left, message, control, abi::msg_nosignal);
  };
  report.expect("header shorter than itself", with(15, abi::sol_socket, abi::scm_rights), fails(Errno::einval));
  report.expect("header longer than the buffer", with(25, abi::sol_socket, abi::scm_rights), fails(Errno::einval));
  report.expect("unknown type", with(16, abi::sol_socket, 99), fails(Errno::einval));
  report.expect("foreign level is skipped", with(16, 99, 99), 1);
  report.expect("no descriptors is no header", with(16, abi::sol_socket, abi::scm_rights), 1);
  report.expect("no header at all", k.sendmsg(p.left, message, std::span(control).first(15), abi::msg_nosignal), 1);
}

constexpr std::array kCases = {
    Case{"S01", "253 descriptors in one message", Feature::none, s01},
    Case{"S02", "254 are refused and nothing is sent", Feature::none, s02},
    Case{"S03", "several headers count together and arrive as one", Feature::none, s03},
    Case{"S04", "order is kept", Feature::none, s04},
    Case{"S05", "truncation releases the rest", Feature::none, s05},
    Case{"S06", "no control buffer releases all", Feature::none, s06},
    Case{"S07", "the padding of CMSG_SPACE lets one more in", Feature::none, s07},
    Case{"S08", "close-on-exec is the receiver's choice", Feature::none, s08},
    Case{"S09", "a bad descriptor refuses the message", Feature::none, s09},
    Case{"S10", "a receive stops after a buffer with descriptors", Feature::none, s10},
    Case{"S11", "plain bytes merge in front of descriptors", Feature::none, s11},
    Case{"S12", "descriptors come with the first byte", Feature::none, s12},
    Case{"S13", "a stream send without a byte sends nothing", Feature::none, s13},
    Case{"S14", "a descriptor in flight is a reference", Feature::none, s14},
    Case{"S15", "a full table truncates", Feature::none, s15},
    Case{"S16", "status flags are shared, close-on-exec is not", Feature::none, s16},
    Case{"S17", "MSG_PEEK duplicates", Feature::none, s17},
    Case{"S18", "the offset is shared", Feature::none, s18},
    Case{"S19", "descriptors in flight are limited", Feature::none, s19},
    Case{"S20", "a socket that only its own queue holds goes when another socket is closed", Feature::none, s20},
    Case{"S21", "malformed control buffers", Feature::none, s21},
};

}  // namespace

std::span<const Case> scm_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
