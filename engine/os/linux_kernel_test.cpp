// Each member reaches the syscall it is named for, with its arguments in their places, and brings back its errno.
#include "engine/os/linux_kernel.hpp"

#include <array>
#include <cstring>
#include <gtest/gtest.h>
#include <signal.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/scm_rights.hpp"

namespace vcpr::os {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class LinuxKernelTest : public testing::Test {
 protected:
  Fd memfd() { return Fd(*kernel_, *kernel_->memfd_create("vcpr-test", abi::mfd_cloexec | abi::mfd_allow_sealing)); }
  std::pair<Fd, Fd> sockets() {
    auto ends = *kernel_->socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock | abi::sock_cloexec, 0);
    return {Fd(*kernel_, ends.first), Fd(*kernel_, ends.second)};
  }

  std::unique_ptr<Kernel> kernel_ = linux_kernel();
};

/// A signal every 5 ms that interrupts calls; the third writes to an eventfd.
class Ticks {
 public:
  explicit Ticks(int eventfd = -1) {
    count = 0;
    target = eventfd;
    struct sigaction action{};
    action.sa_handler = tick;
    ::sigaction(SIGALRM, &action, &before_);
    set({0, 5000});
  }
  ~Ticks() {
    set({0, 0});
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  Ticks(const Ticks&) = delete;
  Ticks& operator=(const Ticks&) = delete;

 private:
  static void set(timeval interval) {
    itimerval timer{.it_interval = interval, .it_value = interval};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
  }
  static void tick(int) {
    std::uint64_t one = 1;
    count = count + 1;
    if (count == 3) (void)!::write(target, &one, sizeof one);
  }

  static inline volatile sig_atomic_t count = 0;
  static inline volatile sig_atomic_t target = -1;
  struct sigaction before_{};
};

template <class T>
Errno error_of(const Result<T>& result) {
  return result ? Errno::none : result.error();
}

TEST_F(LinuxKernelTest, OpenTakesFlagsAndReportsErrors) {
  Fd null(*kernel_, *kernel_->open("/dev/null", abi::o_wronly | abi::o_cloexec));
  EXPECT_EQ(kernel_->fcntl(null.number(), abi::f_getfd, 0), abi::fd_cloexec);
  EXPECT_EQ(kernel_->fcntl(null.number(), abi::f_getfl, 0).value() & abi::o_accmode, abi::o_wronly);
  EXPECT_EQ(error_of(kernel_->open("/nowhere", abi::o_rdonly)), Errno::enoent);
}

TEST_F(LinuxKernelTest, CloseClosesAndABadNumberIsRefused) {
  int number = memfd().release();
  EXPECT_TRUE(kernel_->close(number));
  EXPECT_EQ(error_of(kernel_->close(number)), Errno::ebadf);
}

TEST_F(LinuxKernelTest, FcntlDuplicatesSetsFlagsAndSeals) {
  Fd file = memfd();
  Fd copy(*kernel_, *kernel_->fcntl(file.number(), abi::f_dupfd_cloexec, 100));
  EXPECT_GE(copy.number(), 100);
  EXPECT_TRUE(kernel_->fcntl(copy.number(), abi::f_setfd, 0));
  EXPECT_EQ(kernel_->fcntl(copy.number(), abi::f_getfd, 0), 0);
  EXPECT_TRUE(kernel_->fcntl(file.number(), abi::f_add_seals, abi::seal_grow));
  EXPECT_EQ(kernel_->fcntl(copy.number(), abi::f_get_seals, 0), abi::seal_grow);
  EXPECT_EQ(error_of(kernel_->ftruncate(file.number(), 1)), Errno::eperm);
}

TEST_F(LinuxKernelTest, ReadAndWriteMoveTheOffsetPreadAndPwriteDoNot) {
  Fd file = memfd();
  EXPECT_EQ(kernel_->write(file.number(), bytes_of("0123456789")), 10u);
  EXPECT_EQ(kernel_->pwrite(file.number(), bytes_of("AB"), 4), 2u);
  EXPECT_EQ(kernel_->lseek(file.number(), 0, abi::seek_cur), 10u);
  EXPECT_EQ(kernel_->lseek(file.number(), -8, abi::seek_end), 2u);
  std::array<std::byte, 4> buffer{};
  EXPECT_EQ(kernel_->read(file.number(), buffer), 4u);
  EXPECT_EQ(text_of(buffer), "23AB");
  EXPECT_EQ(kernel_->pread(file.number(), buffer, 8), 2u);
  EXPECT_EQ(text_of(std::span(buffer).first(2)), "89");
  EXPECT_EQ(kernel_->lseek(file.number(), 0, abi::seek_cur), 6u);
  EXPECT_EQ(error_of(kernel_->lseek(file.number(), -1, abi::seek_set)), Errno::einval);
}

TEST_F(LinuxKernelTest, FstatTellsKindAndSize) {
  Fd file = memfd();
  EXPECT_TRUE(kernel_->ftruncate(file.number(), 8192));
  auto stat = kernel_->fstat(file.number());
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->size, 8192u);
  EXPECT_EQ(stat->mode & abi::s_ifmt, abi::s_ifreg);
  EXPECT_NE(stat->inode, kernel_->fstat(memfd().number())->inode);
  Fd null(*kernel_, *kernel_->open("/dev/null", abi::o_rdonly));
  EXPECT_EQ(kernel_->fstat(null.number())->mode & abi::s_ifmt, abi::s_ifchr);
  EXPECT_EQ(kernel_->fstat(null.number())->special_device, 0x103u);
  EXPECT_EQ(error_of(kernel_->fstat(-1)), Errno::ebadf);
}

TEST_F(LinuxKernelTest, ReadlinkIsCutToItsBuffer) {
  Fd event(*kernel_, *kernel_->eventfd(0, 0));
  std::string path = "/proc/self/fd/" + std::to_string(event.number());
  std::array<char, 64> target{};
  auto size = kernel_->readlink(path.c_str(), target);
  ASSERT_TRUE(size);
  EXPECT_EQ(std::string_view(target.data(), *size), "anon_inode:[eventfd]");
  EXPECT_EQ(kernel_->readlink(path.c_str(), std::span(target).first(4)), 4u);
}

TEST_F(LinuxKernelTest, IoctlPassesRequestAndArgument) {
  auto [near, far] = sockets();
  EXPECT_EQ(kernel_->write(near.number(), bytes_of("abc")), 3u);
  int waiting = 0;
  EXPECT_EQ(kernel_->ioctl(far.number(), FIONREAD, &waiting), 0);
  EXPECT_EQ(waiting, 3);
  EXPECT_EQ(error_of(kernel_->ioctl(memfd().number(), 0x3b64, nullptr)), Errno::enotty);
}

TEST_F(LinuxKernelTest, EventfdHasInitialValueAndFlags) {
  Fd event(*kernel_, *kernel_->eventfd(5, abi::efd_nonblock | abi::efd_cloexec));
  std::uint64_t count = 0;
  auto buffer = std::as_writable_bytes(std::span(&count, 1));
  EXPECT_EQ(kernel_->read(event.number(), buffer), 8u);
  EXPECT_EQ(count, 5u);
  EXPECT_EQ(error_of(kernel_->read(event.number(), buffer)), Errno::eagain);
  EXPECT_EQ(kernel_->fcntl(event.number(), abi::f_getfd, 0), abi::fd_cloexec);
}

TEST_F(LinuxKernelTest, MmapSharesTheFileAndUnmaps) {
  constexpr std::uint64_t kSize = 8192;
  Fd file = memfd();
  ASSERT_TRUE(kernel_->ftruncate(file.number(), kSize));
  ASSERT_TRUE(kernel_->pwrite(file.number(), bytes_of("page"), 4096));
  auto mapped = kernel_->mmap(UserAddr(), 4096, abi::prot_read | abi::prot_write, abi::map_shared, file.number(), 4096);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(mapped->value()), "page", 4), 0);
  EXPECT_TRUE(kernel_->mprotect(*mapped, 4096, abi::prot_none));
  std::array<std::byte, 1> buffer{};
  auto unreadable = reinterpret_cast<const std::byte*>(mapped->value());
  EXPECT_EQ(error_of(kernel_->pwrite(file.number(), {unreadable, 1}, 0)), Errno::efault);
  EXPECT_TRUE(kernel_->munmap(*mapped, 4096));
  EXPECT_EQ(error_of(kernel_->mprotect(*mapped, 4096, abi::prot_read)), Errno::enomem);
  EXPECT_EQ(error_of(kernel_->munmap(UserAddr(1), 4096)), Errno::einval);
  EXPECT_EQ(kernel_->read(file.number(), buffer), 1u);
}

TEST_F(LinuxKernelTest, ASocketWithAPathListensAcceptsAndIsUnlinked) {
  std::string path = testing::TempDir() + "vcpr-" + std::to_string(::getpid()) + ".sock";
  int type = abi::sock_stream | abi::sock_nonblock | abi::sock_cloexec;
  Fd listener(*kernel_, *kernel_->socket(abi::af_unix, type, 0));
  ASSERT_TRUE(kernel_->bind(listener.number(), path));
  EXPECT_EQ(error_of(kernel_->accept4(listener.number(), 0)), Errno::einval);
  ASSERT_TRUE(kernel_->listen(listener.number(), 1));
  EXPECT_EQ(error_of(kernel_->accept4(listener.number(), 0)), Errno::eagain);
  Fd caller(*kernel_, *kernel_->socket(abi::af_unix, type, 0));
  ASSERT_TRUE(kernel_->connect(caller.number(), path));
  Fd accepted(*kernel_, *kernel_->accept4(listener.number(), abi::sock_nonblock | abi::sock_cloexec));
  EXPECT_EQ(kernel_->fcntl(accepted.number(), abi::f_getfd, 0), abi::fd_cloexec);
  EXPECT_TRUE(kernel_->shutdown(caller.number(), abi::shut_wr));
  std::array<std::byte, 1> buffer{};
  EXPECT_EQ(kernel_->read(accepted.number(), buffer), 0u);
  EXPECT_TRUE(kernel_->unlink(path.c_str()));
  EXPECT_EQ(error_of(kernel_->unlink(path.c_str())), Errno::enoent);
  EXPECT_EQ(error_of(kernel_->connect(caller.number(), path)), Errno::enoent);
}

TEST_F(LinuxKernelTest, APathOfASocketHasAtMost107Bytes) {
  Fd socket(*kernel_, *kernel_->socket(abi::af_unix, abi::sock_stream, 0));
  EXPECT_EQ(error_of(kernel_->connect(socket.number(), std::string(107, 'x'))), Errno::enoent);
  EXPECT_EQ(error_of(kernel_->connect(socket.number(), std::string(108, 'x'))), Errno::einval);
  EXPECT_EQ(error_of(kernel_->bind(socket.number(), std::string(108, 'x'))), Errno::einval);
}

TEST_F(LinuxKernelTest, MessagesCarryDescriptors) {
  auto [near, far] = sockets();
  Fd file = memfd();
  ASSERT_TRUE(kernel_->write(file.number(), bytes_of("same file")));
  std::array<std::byte, scm_rights_space(1)> control{};
  auto sent = write_scm_rights(control, std::vector<std::int32_t>{file.number()});
  EXPECT_EQ(kernel_->sendmsg(near.number(), bytes_of("x"), sent, abi::msg_nosignal), 1u);

  std::array<std::byte, 16> data{};
  std::array<std::byte, scm_rights_space(4)> buffer{};
  auto received = kernel_->recvmsg(far.number(), data, buffer, abi::msg_cmsg_cloexec);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->bytes, 1u);
  EXPECT_EQ(received->flags & abi::msg_ctrunc, 0);
  std::vector<Fd> fds;
  for_each_scm_rights(std::span(buffer).first(received->control), [&](int fd) { fds.emplace_back(*kernel_, fd); });
  ASSERT_EQ(fds.size(), 1u);
  EXPECT_EQ(kernel_->fstat(fds[0].number())->inode, kernel_->fstat(file.number())->inode);
  EXPECT_EQ(kernel_->fcntl(fds[0].number(), abi::f_getfd, 0), abi::fd_cloexec);
}

TEST_F(LinuxKernelTest, MissingControlRoomIsReported) {
  auto [near, far] = sockets();
  std::array<std::byte, scm_rights_space(1)> control{};
  auto sent = write_scm_rights(control, std::vector<std::int32_t>{near.number()});
  ASSERT_TRUE(kernel_->sendmsg(near.number(), bytes_of("x"), sent, 0));
  std::array<std::byte, 1> data{};
  auto received = kernel_->recvmsg(far.number(), data, {}, 0);
  ASSERT_TRUE(received);
  EXPECT_NE(received->flags & abi::msg_ctrunc, 0);
}

TEST_F(LinuxKernelTest, ASendToNobodyIsAnErrorNotASignal) {
  auto [near, far] = sockets();
  far.reset();
  EXPECT_EQ(error_of(kernel_->sendmsg(near.number(), bytes_of("x"), {}, abi::msg_nosignal)), Errno::epipe);
}

TEST_F(LinuxKernelTest, PollWaitsUntilTheDeadlineAndTellsWhatIsReady) {
  auto [near, far] = sockets();
  std::array set{PollFd{.fd = far.number(), .events = abi::pollin},
                 PollFd{.fd = near.number(), .events = abi::pollout}};
  EXPECT_EQ(kernel_->poll(set, Deadline{0}), 1);
  EXPECT_EQ(set[0].revents, 0);
  EXPECT_EQ(set[1].revents, abi::pollout);

  std::uint64_t before = kernel_->now();
  Deadline deadline = Deadline::after(before, Duration::milliseconds(20));
  EXPECT_EQ(kernel_->poll(std::span(set).first(1), deadline), 0);
  EXPECT_GE(kernel_->now(), deadline.nanoseconds);

  near.reset();
  EXPECT_EQ(kernel_->poll(std::span(set).first(1), Deadline::never()), 1);
  EXPECT_EQ(set[0].revents, abi::pollin | abi::pollhup);
}

TEST_F(LinuxKernelTest, ASignalEndsAPollBeforeItsDeadline) {
  Ticks ticks;
  Deadline deadline = Deadline::after(kernel_->now(), Duration{1'001'000'000});
  EXPECT_EQ(error_of(kernel_->poll({}, deadline)), Errno::eintr);
  EXPECT_LT(kernel_->now(), deadline.nanoseconds);
}

TEST_F(LinuxKernelTest, ASignalDoesNotEndARead) {
  Fd event(*kernel_, *kernel_->eventfd(0, abi::efd_cloexec));
  Ticks ticks(event.number());
  std::uint64_t count = 0;
  EXPECT_EQ(kernel_->read(event.number(), std::as_writable_bytes(std::span(&count, 1))), 8u);
  EXPECT_EQ(count, 1u);
}

TEST_F(LinuxKernelTest, TheEnvironmentIsSetReadAndUnset) {
  EXPECT_EQ(kernel_->getenv("VCPR_TEST_VARIABLE"), std::nullopt);
  EXPECT_TRUE(kernel_->setenv("VCPR_TEST_VARIABLE", "12"));
  EXPECT_TRUE(kernel_->setenv("VCPR_TEST_VARIABLE", ""));
  EXPECT_EQ(kernel_->getenv("VCPR_TEST_VARIABLE"), "");
  EXPECT_TRUE(kernel_->unsetenv("VCPR_TEST_VARIABLE"));
  EXPECT_EQ(kernel_->getenv("VCPR_TEST_VARIABLE"), std::nullopt);
  EXPECT_EQ(error_of(kernel_->setenv("a=b", "")), Errno::einval);
}

TEST_F(LinuxKernelTest, ExecveReturnsOnlyItsError) {
  std::array<const char*, 1> arguments{"nowhere"};
  EXPECT_EQ(error_of(kernel_->execve("/nowhere", arguments)), Errno::enoent);
}

TEST_F(LinuxKernelTest, ExecveRunsWithArgumentsAndTheEnvironmentAsItStands) {
  pid_t child = ::fork();
  if (child == 0) {
    (void)kernel_->setenv("VCPR_TEST_VARIABLE", "12");
    std::array<const char*, 4> arguments{"sh", "-c", "test \"$VCPR_TEST_VARIABLE\" = 12 && exit \"$0\"", "42"};
    (void)kernel_->execve("/bin/sh", arguments);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST_F(LinuxKernelTest, TimeGoesForward) {
  std::uint64_t before = kernel_->now();
  EXPECT_LE(before, kernel_->now());
  EXPECT_GT(before, 0u);
}

}  // namespace
}  // namespace vcpr::os
