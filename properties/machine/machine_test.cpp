// The machine itself: what a process sees of another, of time and of its own end. The calls' rules are held to the real
// kernel in properties/conformance.
#include "properties/machine/machine.hpp"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/scm_rights.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::machine {
namespace {

using os::Errno;
namespace abi = os::abi;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::uint64_t read_counter(os::Kernel& kernel, int fd) {
  std::uint64_t value = 0;
  EXPECT_EQ(kernel.read(fd, std::as_writable_bytes(std::span(&value, 1))), 8u);
  return value;
}

void signal(os::Kernel& kernel, int fd, std::uint64_t value) {
  EXPECT_EQ(kernel.write(fd, std::as_bytes(std::span(&value, 1))), 8u);
}

os::Result<std::size_t> send_fds(os::Kernel& kernel, int socket, std::string_view text, std::vector<int> fds) {
  std::vector<std::byte> control(os::scm_rights_space(fds.size()));
  const auto used = fds.empty() ? std::span<const std::byte>{} : os::write_scm_rights(control, fds);
  return kernel.sendmsg(socket, bytes_of(text), used, abi::msg_nosignal);
}

std::vector<int> receive_fds(os::Kernel& kernel, int socket) {
  std::array<std::byte, 16> data;
  std::array<std::byte, os::scm_rights_space(16)> control;
  const auto received = kernel.recvmsg(socket, data, control, abi::msg_cmsg_cloexec);
  std::vector<int> fds;
  if (received)
    os::for_each_scm_rights(std::span(control).first(received->control), [&](int fd) { fds.push_back(fd); });
  return fds;
}

TEST(Machine, APassedDescriptorIsTheSameDescriptionInAnotherProcess) {
  Machine machine;
  Process& old_process = machine.spawn();
  os::Kernel& old_kernel = old_process.kernel();
  const auto ends = *old_kernel.socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
  Process& new_process = machine.fork(old_process);
  const int counter = *old_kernel.eventfd(0, abi::efd_nonblock);
  ASSERT_EQ(send_fds(old_kernel, ends.first, "x", {counter}), 1u);

  const Truth truth(machine);
  const std::uint32_t id = truth.description_of(old_process, counter);
  EXPECT_EQ(truth.descriptors_in_flight(), 1u);
  EXPECT_EQ(truth.holders(id).size(), 2u);
  const auto fds = receive_fds(new_process.kernel(), ends.second);
  ASSERT_EQ(fds.size(), 1u);
  EXPECT_EQ(truth.description_of(new_process, fds[0]), id);
  EXPECT_EQ(truth.descriptors_in_flight(), 0u);

  signal(old_kernel, counter, 3);
  EXPECT_EQ(read_counter(new_process.kernel(), fds[0]), 3u);
  EXPECT_EQ(truth.signals_written(id), 3u);
  EXPECT_EQ(truth.signals_read(id), 3u);
}

TEST(Machine, ExecveKeepsProcessAndSurvivorsAndEndsTheImage) {
  Machine machine;
  Process& process = machine.spawn();
  os::Kernel& old_image = process.kernel();
  const int kept = *old_image.eventfd(5, abi::efd_nonblock);
  const int closed = *old_image.eventfd(0, abi::efd_cloexec);
  ASSERT_TRUE(old_image.setenv("STATE", "7"));
  const auto address = old_image.mmap(os::UserAddr(), 4096, abi::prot_read | abi::prot_write,
                                      abi::map_private | abi::map_anonymous, -1, 0);
  ASSERT_TRUE(address);
  const std::array<const char*, 2> arguments{"vmm", "--incoming"};
  EXPECT_EQ(old_image.execve("/usr/bin/vmm", arguments).error(), Errno::gone);

  const std::uint64_t hash = machine.hash();
  EXPECT_EQ(old_image.eventfd(0, 0).error(), Errno::gone);
  EXPECT_EQ(old_image.close(kept).error(), Errno::gone);
  EXPECT_EQ(machine.hash(), hash) << "a dead image leaves no trace";

  os::Kernel& new_image = process.kernel();
  EXPECT_EQ(process.image(), 1u);
  EXPECT_EQ(process.pid(), 1u);
  EXPECT_EQ(process.command(), "/usr/bin/vmm vmm --incoming");
  EXPECT_EQ(read_counter(new_image, kept), 5u);
  EXPECT_EQ(new_image.fcntl(closed, abi::f_getfd, 0).error(), Errno::ebadf);
  EXPECT_EQ(new_image.getenv("STATE"), "7");
  std::byte byte{};
  EXPECT_FALSE(process.load(*address, {&byte, 1})) << "the mappings went with the old address space";
}

TEST(Machine, TimeMovesOnlyWhenAskedOrWhenAPollHasNothingElse) {
  Machine machine;
  Process& process = machine.spawn();
  os::Kernel& kernel = process.kernel();
  EXPECT_EQ(kernel.now(), 0u);
  machine.advance_time(1000);
  EXPECT_EQ(kernel.now(), 1000u);
  const int counter = *kernel.eventfd(1, abi::efd_nonblock);
  os::PollFd wanted{counter, abi::pollin, 0};
  EXPECT_EQ(kernel.poll({&wanted, 1}, {5000}), 1);
  EXPECT_EQ(kernel.now(), 1000u) << "an event was there";
  EXPECT_EQ(read_counter(kernel, counter), 1u);
  EXPECT_EQ(kernel.poll({&wanted, 1}, {5000}), 0);
  EXPECT_EQ(kernel.now(), 5000u);
  EXPECT_EQ(kernel.poll({&wanted, 1}, os::Deadline::never()), 0);
  EXPECT_EQ(Truth(machine).would_block().size(), 1u) << "a hang that has a name";
}

}  // namespace
}  // namespace vcpr::machine
