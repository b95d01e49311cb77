// Each call becomes one line, the same for the same calls; the calls themselves go through unchanged.
#include "engine/os/tracing_kernel.hpp"

#include <array>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/os/scm_rights.hpp"

namespace vcpr::os {
namespace {

/// Replaces {0}, {1} ... by descriptor numbers, which the system chooses.
std::string with(std::string text, std::initializer_list<int> numbers) {
  int index = 0;
  for (int number : numbers) {
    std::string mark = "{" + std::to_string(index++) + "}";
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark)) {
      text.replace(at, mark.size(), std::to_string(number));
    }
  }
  return text;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

class TracingKernelTest : public testing::Test {
 protected:
  /// The lines since the last look.
  std::string lines() { return std::exchange(lines_, {}); }

  std::string lines_;
  std::unique_ptr<Kernel> linux_ = linux_kernel();
  std::unique_ptr<Kernel> kernel_ =
      tracing_kernel(*linux_, [this](std::string_view line) { lines_.append(line).append("\n"); });
};

TEST_F(TracingKernelTest, Files) {
  int fd = *kernel_->memfd_create("ram", abi::mfd_cloexec | abi::mfd_allow_sealing);
  int null = *kernel_->open("/dev/null", abi::o_rdwr | abi::o_cloexec);
  std::array<std::byte, 3> buffer{};
  std::array<char, 64> target{};
  std::string path = "/proc/self/fd/" + std::to_string(fd);
  (void)kernel_->write(fd, bytes_of("hello"));
  (void)kernel_->lseek(fd, 1, abi::seek_set);
  (void)kernel_->read(fd, buffer);
  (void)kernel_->pwrite(fd, bytes_of("x"), 9);
  (void)kernel_->pread(fd, buffer, 8);
  (void)kernel_->fstat(fd);
  (void)kernel_->ftruncate(fd, 4096);
  (void)kernel_->fstat(null);
  (void)kernel_->readlink(path.c_str(), target);
  (void)kernel_->ioctl(fd, 0x3b64, nullptr);
  (void)kernel_->unlink("/nowhere/at/all");
  (void)kernel_->close(null);
  (void)kernel_->close(fd);
  EXPECT_EQ(lines(), with(R"TRACE(memfd_create("ram", MFD_CLOEXEC|MFD_ALLOW_SEALING) = {0}
open("/dev/null", O_RDWR|O_CLOEXEC) = {1}
write({0}, 5 bytes) = 5
lseek({0}, 1, SEEK_SET) = 1
read({0}, 3 bytes) = 3
pwrite({0}, 1 byte, 9) = 1
pread({0}, 3 bytes, 8) = 2
fstat({0}) = S_IFREG 10 bytes
ftruncate({0}, 4096) = 0
fstat({1}) = S_IFCHR 0 bytes
readlink("/proc/self/fd/{0}", 64 bytes) = "/memfd:ram (deleted)"
ioctl({0}, 0x3b64) = -1 ENOTTY
unlink("/nowhere/at/all") = -1 ENOENT
close({1}) = 0
close({0}) = 0
)TRACE",
                          {fd, null}));
}

TEST_F(TracingKernelTest, FcntlNamesCommandsAndTheirArguments) {
  int fd = *kernel_->eventfd(7, abi::efd_cloexec | abi::efd_nonblock);
  int copy = *kernel_->fcntl(fd, abi::f_dupfd_cloexec, 50);
  (void)kernel_->fcntl(copy, abi::f_getfd, 0);
  (void)kernel_->fcntl(copy, abi::f_setfd, abi::fd_cloexec);
  (void)kernel_->fcntl(copy, abi::f_setfl, abi::o_nonblock);
  (void)kernel_->fcntl(copy, abi::f_add_seals, abi::seal_grow | abi::seal_shrink);
  (void)kernel_->fcntl(copy, 9999, 0);
  EXPECT_EQ(lines(), with(R"(eventfd(7, EFD_CLOEXEC|EFD_NONBLOCK) = {0}
fcntl({0}, F_DUPFD_CLOEXEC, 50) = {1}
fcntl({1}, F_GETFD, 0) = 1
fcntl({1}, F_SETFD, FD_CLOEXEC) = 0
fcntl({1}, F_SETFL, O_RDONLY|O_NONBLOCK) = 0
fcntl({1}, F_ADD_SEALS, F_SEAL_SHRINK|F_SEAL_GROW) = -1 EINVAL
fcntl({1}, 9999, 0) = -1 EINVAL
)",
                          {fd, copy}));
  (void)linux_->close(copy);
  (void)linux_->close(fd);
}

TEST_F(TracingKernelTest, MemoryHasNoAddresses) {
  auto mapped = *kernel_->mmap(UserAddr(), 4096, abi::prot_read, abi::map_private | abi::map_anonymous, -1, 0);
  (void)kernel_->mprotect(mapped, 4096, abi::prot_none);
  (void)kernel_->munmap(mapped, 4096);
  EXPECT_EQ(lines(),
            "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = addr\n"
            "mprotect(addr, 4096, 0) = 0\n"
            "munmap(addr, 4096) = 0\n");
}

TEST_F(TracingKernelTest, SocketsAndTheDescriptorsOfTheirMessages) {
  auto [near, far] = *kernel_->socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
  std::array<std::byte, scm_rights_space(2)> control{};
  auto sent = write_scm_rights(control, std::vector<std::int32_t>{near, far});
  (void)kernel_->sendmsg(near, bytes_of("state"), sent, abi::msg_nosignal);
  std::array<std::byte, 8> data{};
  std::array<std::byte, 20> small{};
  auto received = *kernel_->recvmsg(far, data, small, abi::msg_cmsg_cloexec);
  int copy = -1;
  for_each_scm_rights(std::span(small).first(received.control), [&](int fd) { copy = fd; });
  (void)kernel_->sendmsg(near, bytes_of("x"), {}, 0);
  std::array set{PollFd{.fd = far, .events = abi::pollin | abi::pollout}, PollFd{.fd = near, .events = abi::pollin}};
  (void)kernel_->poll(set, Deadline{0});
  (void)kernel_->shutdown(near, abi::shut_wr);
  EXPECT_EQ(lines(), with(R"(socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0) = [{0}, {1}]
sendmsg({0}, 5 bytes, fds [{0}, {1}], MSG_NOSIGNAL) = 5
recvmsg({1}, 8 bytes, 20 bytes, MSG_CMSG_CLOEXEC) = 5 bytes, fds [{2}], MSG_CTRUNC|MSG_CMSG_CLOEXEC
sendmsg({0}, 1 byte, no fds, 0) = 1
poll([{1} POLLIN|POLLOUT, {0} POLLIN], deadline) = 1 [{1} POLLIN|POLLOUT]
shutdown({0}, SHUT_WR) = 0
)",
                          {near, far, copy}));
  for (int fd : {near, far, copy}) (void)linux_->close(fd);
}

TEST_F(TracingKernelTest, ListeningAndConnecting) {
  int fd = *kernel_->socket(abi::af_unix, abi::sock_stream | abi::sock_cloexec, 0);
  std::array<char, 64> target{};
  (void)kernel_->connect(fd, "/nowhere");
  (void)kernel_->bind(fd, "/nowhere/at/all");
  (void)kernel_->listen(fd, 1);
  (void)kernel_->accept4(fd, abi::sock_nonblock);
  (void)kernel_->readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target);
  EXPECT_EQ(lines(), with(R"(socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = {0}
connect({0}, "/nowhere") = -1 ENOENT
bind({0}, "/nowhere/at/all") = -1 ENOENT
listen({0}, 1) = -1 EINVAL
accept4({0}, SOCK_NONBLOCK) = -1 EINVAL
readlink("/proc/self/fd/{0}", 64 bytes) = "socket"
)",
                          {fd}));
  (void)linux_->close(fd);
}

TEST_F(TracingKernelTest, TheProcess) {
  (void)kernel_->setenv("VCPR_TEST_VARIABLE", "1\n2");
  EXPECT_EQ(kernel_->getenv("VCPR_TEST_VARIABLE"), "1\n2");
  (void)kernel_->unsetenv("VCPR_TEST_VARIABLE");
  EXPECT_EQ(kernel_->getenv("VCPR_TEST_VARIABLE"), std::nullopt);
  std::array<const char*, 2> arguments{"vmm", "-incoming"};
  (void)kernel_->execve("/nowhere", arguments);
  EXPECT_GT(kernel_->now(), 0u);
  EXPECT_EQ(lines(), R"(setenv("VCPR_TEST_VARIABLE", "1\x0a2") = 0
getenv("VCPR_TEST_VARIABLE") = "1\x0a2"
unsetenv("VCPR_TEST_VARIABLE") = 0
getenv("VCPR_TEST_VARIABLE") = NULL
execve("/nowhere", ["vmm", "-incoming"]) = -1 ENOENT
now() = time
)");
}

TEST_F(TracingKernelTest, BitsWithoutANameAreShownAsNumbers) {
  (void)kernel_->eventfd(0, 1 << 30 | abi::efd_cloexec);
  (void)kernel_->socket(99, 9, 0);
  EXPECT_EQ(lines(), "eventfd(0, EFD_CLOEXEC|0x40000000) = -1 EINVAL\nsocket(99, 9, 0) = -1 EAFNOSUPPORT\n");
}

}  // namespace
}  // namespace vcpr::os
