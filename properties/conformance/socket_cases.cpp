// Unix stream sockets: connection by path, half-close, hang-up, buffers.
#include <array>
#include <string>

#include "properties/conformance/steps.hpp"

namespace vcpr::conformance {

namespace {

constexpr Outcome kIn = abi::pollin;
constexpr Outcome kOut = abi::pollout;
constexpr Outcome kErr = abi::pollerr;
constexpr Outcome kHup = abi::pollhup;
constexpr Outcome kRdHup = abi::pollrdhup;

int make_socket(os::Kernel& k) {
  return k.socket(abi::af_unix, kNonBlockingStream, 0).value_or(-1);
}

int make_listener(os::Kernel& k, const std::string& path, int backlog) {
  const int listener = make_socket(k);
  (void)k.bind(listener, path);
  (void)k.listen(listener, backlog);
  return listener;
}

void u01(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const std::string path = world.path("a");
  const int listener = make_socket(k);
  report.expect("listen unbound", k.listen(listener, 1), fails(Errno::einval));
  report.expect("connect to nothing", k.connect(make_socket(k), path), fails(Errno::enoent));
  report.expect("bind", k.bind(listener, path), 0);
  report.expect("bind again", k.bind(listener, world.path("b")), fails(Errno::einval));
  report.expect("bind another there", k.bind(make_socket(k), path), fails(Errno::eaddrinuse));
  report.expect("connect before listen", k.connect(make_socket(k), path), fails(Errno::econnrefused));
  report.expect("accept before listen", k.accept4(listener, 0), fails(Errno::einval));
  report.expect("listen", k.listen(listener, 1), 0);
  report.expect("accept nobody", k.accept4(listener, 0), fails(Errno::eagain));
  report.expect("accept, bad flag", k.accept4(listener, 1), fails(Errno::einval));
  report.expect("poll", events(k, listener), 0);
}

void u02(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const std::string path = world.path("a");
  const int listener = make_listener(k, path, 1);
  const int client = make_socket(k);
  report.expect("fresh socket", events(k, client), kOut | kHup);
  report.expect("connect", k.connect(client, path), 0);
  report.expect("connect again", k.connect(client, path), fails(Errno::eisconn));
  report.expect("send before accept", send(k, client, "hello"), 5);
  report.expect("poll listener", events(k, listener), kIn);
  const int server = k.accept4(listener, abi::sock_nonblock | abi::sock_cloexec).value_or(-1);
  report.expect("accepted flags", k.fcntl(server, abi::f_getfl, 0), abi::o_rdwr | abi::o_nonblock);
  report.expect("accepted close-on-exec", k.fcntl(server, abi::f_getfd, 0), 1);
  report.expect("receive", receive(k, server, 10, 0).bytes, 5);
  report.expect("poll listener", events(k, listener), 0);
  report.expect("listen on connected", k.listen(client, 1), fails(Errno::einval));
}

void u03(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const std::string path = world.path("a");
  (void)make_listener(k, path, 1);
  report.expect("first", k.connect(make_socket(k), path), 0);
  report.expect("second: the limit is exceeded by one", k.connect(make_socket(k), path), 0);
  const int third = make_socket(k);
  report.expect("third", k.connect(third, path), fails(Errno::eagain));
  report.expect("it stays unconnected", send(k, third, "x"), fails(Errno::enotconn));
}

void u04(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const std::string path = world.path("a");
  const int listener = make_listener(k, path, 4);
  const int client = make_socket(k);
  (void)k.connect(client, path);
  (void)send(k, client, "x");
  (void)k.close(listener);
  report.expect("poll", events(k, client), kIn | kOut | kErr | kHup | kRdHup);
  report.expect("receive", receive(k, client, 1, 0).bytes, fails(Errno::econnreset));
  report.expect("the error is told once", receive(k, client, 1, 0).bytes, 0);
  report.expect("the path stays", k.connect(make_socket(k), path), fails(Errno::econnrefused));
  report.expect("and is taken", k.bind(make_socket(k), path), fails(Errno::eaddrinuse));
  report.expect("unlink", k.unlink(path.c_str()), 0);
  report.expect("unlink again", k.unlink(path.c_str()), fails(Errno::enoent));
  report.expect("bind anew", k.bind(make_socket(k), path), 0);
}

void u05(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const std::string path = world.path("a");
  const int listener = make_listener(k, path, 4);
  report.expect("unlink", k.unlink(path.c_str()), 0);
  report.expect("nobody finds it", k.connect(make_socket(k), path), fails(Errno::enoent));
  report.expect("another takes the path", k.bind(make_socket(k), path), 0);
  report.expect("the old one still listens", k.accept4(listener, 0), fails(Errno::eagain));
}

void u06(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "ab");
  report.expect("half-close", k.shutdown(p.left, abi::shut_wr), 0);
  report.expect("poll, far end", events(k, p.right), kIn | kOut | kRdHup);
  report.expect("what was sent arrives", receive(k, p.right, 10, 0).bytes, 2);
  report.expect("then the end", receive(k, p.right, 10, 0).bytes, 0);
  report.expect("again", receive(k, p.right, 10, 0).bytes, 0);
  report.expect("send after it", send(k, p.left, "x"), fails(Errno::epipe));
  report.expect("the other way works", send(k, p.right, "back"), 4);
  report.expect("poll, near end", events(k, p.left), kIn | kOut);
  report.expect("receive", receive(k, p.left, 10, 0).bytes, 4);
  report.expect("bad direction", k.shutdown(p.left, 3), fails(Errno::einval));
  report.expect("the far end closes too", k.shutdown(p.right, abi::shut_wr), 0);
  report.expect("poll, both closed", events(k, p.left), kIn | kOut | kHup | kRdHup);
}

void u07(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "ab");
  (void)k.close(p.left);
  report.expect("poll", events(k, p.right), kIn | kOut | kHup | kRdHup);
  report.expect("send", send(k, p.right, "x"), fails(Errno::epipe));
  report.expect("what was sent arrives", receive(k, p.right, 10, 0).bytes, 2);
  report.expect("then the end", receive(k, p.right, 10, 0).bytes, 0);
}

void u08(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "unread");
  (void)send(k, p.right, "read first");
  (void)k.close(p.right);
  report.expect("poll", events(k, p.left), kIn | kOut | kErr | kHup | kRdHup);
  report.expect("send", send(k, p.left, "x"), fails(Errno::epipe));
  report.expect("what was queued comes first", receive(k, p.left, 100, 0).bytes, 10);
  report.expect("then the reset", receive(k, p.left, 100, 0).bytes, fails(Errno::econnreset));
  report.expect("once", receive(k, p.left, 100, 0).bytes, 0);
  report.expect("poll", events(k, p.left), kIn | kOut | kHup | kRdHup);
}

void u09(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  const int copy = k.fcntl(p.left, abi::f_dupfd, 0).value_or(-1);
  (void)k.close(p.left);
  report.expect("a duplicate keeps it open", receive(k, p.right, 1, 0).bytes, fails(Errno::eagain));
  (void)k.close(copy);
  report.expect("the last close hangs up", receive(k, p.right, 1, 0).bytes, 0);
}

void u10(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  Outcome sent = 0;
  while (send(k, p.left, "x") == 1) ++sent;
  report.expect("one-byte messages until the buffer is full", sent, 278);
  report.expect("full", send(k, p.left, "x"), fails(Errno::eagain));
  report.expect("poll", events(k, p.left), 0);
  report.expect("drain three quarters", receive(k, p.right, 208, 0).bytes, 208);
  report.expect("poll", events(k, p.left), 0);
  report.expect("drain one more", receive(k, p.right, 1, 0).bytes, 1);
  report.expect("poll", events(k, p.left), kOut);
}

void u11(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  for (const auto& [size, total] : {std::pair{192, 53376},
                                    {193, 32231},
                                    {1729, 84721},
                                    {3777, 166188},
                                    {16384, 212992},
                                    {65536, 233152},
                                    {100000, 236544}}) {
    const Pairs p(k);
    const std::string message(static_cast<std::size_t>(size), 'm');
    Outcome sent = 0;
    for (Outcome count = 0; (count = send(k, p.left, message)) > 0;) sent += count;
    report.expect("bytes taken in messages of " + std::to_string(size), sent, total);
    for (const int fd : {p.left, p.right, p.probe, p.watch}) (void)k.close(fd);
  }
}

void u12(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const int s = make_socket(k);
  report.expect("send", send(k, s, "x"), fails(Errno::enotconn));
  report.expect("receive", receive(k, s, 1, 0).bytes, fails(Errno::einval));
  report.expect("pread", k.pread(s, {}, 0), fails(Errno::espipe));
  report.expect("lseek", k.lseek(s, 0, abi::seek_set), fails(Errno::espipe));
  report.expect("shutdown", k.shutdown(s, abi::shut_rdwr), 0);
  report.expect("unknown type flag", k.socket(abi::af_unix, abi::sock_stream | 0x100, 0), fails(Errno::einval));
  report.expect("protocol 1 is PF_UNIX", k.socket(abi::af_unix, abi::sock_stream, 1).has_value(), 1);
  report.expect("protocol 2", k.socket(abi::af_unix, abi::sock_stream, 2), fails(Errno::eprotonosupport));
  report.expect("family 99", k.socket(99, abi::sock_stream, 0), fails(Errno::eafnosupport));
  report.expect("path too long", k.connect(s, std::string(108, 'p')), fails(Errno::einval));
  report.expect("path of a device", k.connect(s, "/dev/null"), fails(Errno::econnrefused));
}

void u13(World& world, Report& report) {
  os::Kernel& k = world.kernel();
  const Pairs p(k);
  (void)send(k, p.left, "abc");
  report.expect("peek", receive(k, p.right, 2, 0, abi::msg_peek).bytes, 2);
  const Arrived all = receive(k, p.right, 10, 0);
  report.expect("nothing was taken", all.bytes, 3);
  report.expect("peek at nothing", receive(k, p.right, 2, 0, abi::msg_peek).bytes, fails(Errno::eagain));
  (void)send(k, p.left, "abc");
  report.expect("no room", receive(k, p.right, 0, 0).bytes, 0);
  report.expect("read of 0", read_bytes(k, p.right, 0), 0);
  report.expect("still there", receive(k, p.right, 10, 0).bytes, 3);
}

constexpr std::array kCases = {
    Case{"U01", "bind and listen", Feature::none, u01},
    Case{"U02", "connect, accept, send before accept", Feature::none, u02},
    Case{"U03", "a full backlog", Feature::none, u03},
    Case{"U04", "a closed listener resets its backlog, its path stays", Feature::none, u04},
    Case{"U05", "unlink takes the path, not the listener", Feature::none, u05},
    Case{"U06", "half-close", Feature::none, u06},
    Case{"U07", "close after everything was read", Feature::none, u07},
    Case{"U08", "close with unread data resets the peer", Feature::none, u08},
    Case{"U09", "only the last close hangs up", Feature::none, u09},
    Case{"U10", "a buffer fills, and is writable again when a quarter is used", Feature::default_socket_buffer, u10},
    Case{"U11", "what messages of a size cost", Feature::default_socket_buffer, u11},
    Case{"U12", "what an unconnected socket refuses", Feature::none, u12},
    Case{"U13", "peeking and empty reads", Feature::none, u13},
};

}  // namespace

std::span<const Case> socket_cases() {
  return kCases;
}

}  // namespace vcpr::conformance
