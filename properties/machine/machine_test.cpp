// The machine itself: what a process sees of another, of time and of its own end. The calls' rules are held to the real
// kernel in properties/conformance.
#include "properties/machine/machine.hpp"

#include <array>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/scm_rights.hpp"
#include "properties/machine/iommu.hpp"
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

/// A process's life in miniature: it uses one of everything, and does not care how far it comes.
void live(os::Kernel& kernel, int socket) {
  const int counter = kernel.eventfd(1, abi::efd_nonblock).value_or(-1);
  const int memory = kernel.memfd_create("life", 0).value_or(-1);
  (void)kernel.ftruncate(memory, std::uint64_t{64} << 20);
  (void)kernel.mmap(os::UserAddr(), 4096, abi::prot_read, abi::map_shared, memory, 0);
  const auto own =
      kernel.socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0).value_or(std::pair(-1, -1));
  (void)send_fds(kernel, own.first, "to myself", {counter, own.second});
  (void)send_fds(kernel, own.second, "and back", {own.first});
  (void)send_fds(kernel, socket, "to the other", {counter, memory, own.first});
  (void)kernel.setenv("LIFE", "1");
  (void)kernel.close(own.first);
  (void)receive_fds(kernel, own.second);
  (void)kernel.close(counter);
}

/// Kills a process before the call with this number.
class KillAt final : public Schedule {
 public:
  KillAt(Process& process, std::uint64_t number) : process_(process), number_(number) {}
  FaultPoint before(const CallSite& site) override {
    if (site.number == number_) process_.kill();
    return FaultPoint::none;
  }

 private:
  Process& process_;
  std::uint64_t number_;
};

TEST(AddressSpace, GivesTheLowestGap) {
  constexpr std::uint64_t kPage = 4096;
  Machine machine;
  os::Kernel& kernel = machine.spawn().kernel();
  const auto map = [&](std::uint64_t pages) {
    return *kernel.mmap(os::UserAddr(), pages * kPage, abi::prot_read, abi::map_private | abi::map_anonymous, -1, 0);
  };
  const os::UserAddr first = map(3);
  EXPECT_EQ(map(1), first + 3 * kPage);
  ASSERT_TRUE(kernel.munmap(first + kPage, kPage));
  EXPECT_EQ(map(2), first + 4 * kPage) << "too large for the gap";
  EXPECT_EQ(map(1), first + kPage);
  EXPECT_EQ(map(1), first + 6 * kPage);
}

TEST(Death, AtEveryCallBoundaryReleasesEverythingAndHangsUp) {
  std::uint64_t boundaries = 1;
  for (std::uint64_t at = 0; at < boundaries; ++at) {
    Machine machine;
    Process& survivor = machine.spawn();
    const auto ends = *survivor.kernel().socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
    Process& victim = machine.fork(survivor);
    ASSERT_TRUE(survivor.kernel().close(ends.first));
    ASSERT_TRUE(victim.kernel().close(ends.second));
    KillAt kill(victim, machine.calls() + at);
    machine.set_schedule(&kill);
    os::Kernel& kernel = victim.kernel();
    const std::uint64_t first = machine.calls();
    live(kernel, ends.first);
    EXPECT_TRUE(victim.alive() || machine.calls() == first + at + 1) << "a call after death is none";
    if (victim.alive()) break;  // lived to its end: every boundary was tried
    ++boundaries;

    const Truth truth(machine);
    EXPECT_EQ(truth.descriptors_open(victim), 0u) << at;
    EXPECT_EQ(state_of(victim).space.mappings().size(), 0u) << at;
    EXPECT_TRUE(truth.environment(victim).empty()) << at;
    EXPECT_EQ(kernel.eventfd(0, 0), os::Result<int>(std::unexpected(Errno::gone)));
    os::PollFd end{ends.second, 0, 0};
    EXPECT_EQ(survivor.kernel().poll({&end, 1}, {0}), 1) << at;
    EXPECT_NE(end.revents & abi::pollhup, 0) << at;
    survivor.kill();
    EXPECT_EQ(truth.descriptions_open(), 0u) << "killed before call " << at;
    EXPECT_EQ(truth.descriptors_in_flight(), 0u) << at;
    for (const DescriptionFact& each : truth.descriptions()) EXPECT_NE(each.closed_at, kStillOpen) << each.link;
  }
  EXPECT_GT(boundaries, 12u);
}

TEST(Machine, TheSameCallsGiveTheSameHashAndOtherCallsAnother) {
  const auto hash_of = [](std::string_view text, int extra) {
    Machine machine;
    Process& process = machine.spawn();
    const auto ends = *process.kernel().socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
    live(process.kernel(), ends.first);
    (void)send_fds(process.kernel(), ends.second, text, {});
    if (extra == 1) (void)process.kernel().close(999);
    if (extra == 2) machine.advance_time(1);
    if (extra == 3) process.kill();
    return machine.hash();
  };
  EXPECT_EQ(hash_of("a", 0), hash_of("a", 0));
  EXPECT_NE(hash_of("a", 0), hash_of("b", 0)) << "contents";
  for (const int extra : {1, 2, 3}) EXPECT_NE(hash_of("a", 0), hash_of("a", extra)) << extra;
}

TEST(Machine, TheHashCoversWhatACallBroughtBack) {
  const auto hash_of = [](std::string_view contents) {
    Machine machine;
    Process& process = machine.spawn();
    Described file;
    file.kind = FileKind::file;
    const int number = process.install(file);
    EXPECT_TRUE(process.fill(number, 0, bytes_of(contents)));  // set-up, which leaves no trace
    std::array<std::byte, 8> buffer;
    EXPECT_EQ(process.kernel().read(number, buffer), contents.size());
    EXPECT_TRUE(process.kernel().close(number));
    return machine.hash();
  };
  EXPECT_EQ(hash_of("same"), hash_of("same"));
  EXPECT_NE(hash_of("this"), hash_of("that"));
}

TEST(Machine, ContentsAreHashedAsTheyRead) {
  constexpr std::size_t kPage = 4096;
  const auto hash_of = [](std::uint64_t size, std::span<const std::uint64_t> zeros_at, std::uint64_t one_at) {
    Machine machine;
    Process& process = machine.spawn();
    const int number = process.install({.kind = FileKind::memfd, .link = "", .size = size, .number = std::nullopt});
    const std::byte one{1};
    for (const std::uint64_t at : zeros_at) EXPECT_TRUE(process.fill(number, at, std::array<std::byte, 1>{}));
    EXPECT_TRUE(process.fill(number, one_at, std::span(&one, 1)));
    const Truth truth(machine);
    return truth.contents_hash(truth.description_of(process, number), size);
  };
  const std::array<std::uint64_t, 2> zeros{0, 3 * kPage + 7};
  const std::uint64_t hash = hash_of(4 * kPage, {}, kPage + 9);
  EXPECT_EQ(hash, hash_of(4 * kPage, zeros, kPage + 9)) << "a page of zeros reads like a hole";
  EXPECT_NE(hash, hash_of(4 * kPage, {}, kPage + 8)) << "another byte of the page";
  EXPECT_NE(hash, hash_of(4 * kPage, {}, 2 * kPage + 9)) << "the same byte of another page";
  EXPECT_NE(hash, hash_of(3 * kPage, {}, kPage + 9)) << "another size";
}

TEST(Machine, TwoMachinesLiveSideBySide) {
  const auto machine = std::make_unique<Machine>();
  os::Kernel& first = machine->spawn().kernel();
  const int counter = *first.eventfd(3, abi::efd_nonblock);
  {
    Machine other;
    os::Kernel& second = other.spawn().kernel();
    live(second, -1);
    EXPECT_EQ(read_counter(second, *second.eventfd(9, abi::efd_nonblock)), 9u);
  }
  Machine third;
  live(third.spawn().kernel(), -1);
  EXPECT_EQ(read_counter(first, counter), 3u);
}

TEST(Schedule, MayRunTheOtherProcessOneLevelDeep) {
  class Nested final : public Schedule {
   public:
    explicit Nested(os::Kernel& other) : other_(other) {}
    FaultPoint before(const CallSite&) override {
      ++asked;
      signal(other_, 0, 1);
      return FaultPoint::none;
    }
    int asked = 0;

   private:
    os::Kernel& other_;
  };
  Machine machine;
  Process& one = machine.spawn();
  const int counter = *one.kernel().eventfd(0, abi::efd_nonblock);
  Nested nested(machine.fork(one).kernel());
  machine.set_schedule(&nested);
  EXPECT_EQ(read_counter(one.kernel(), counter), 1u) << "the signal came between two calls";
  EXPECT_EQ(nested.asked, 1) << "its own calls are not asked about";
}

TEST(Schedule, MayEndAPollThatWouldSleep) {
  class Waker final : public Schedule {
   public:
    explicit Waker(os::Kernel& other) : other_(other) {}
    FaultPoint before(const CallSite&) override { return FaultPoint::none; }
    bool idle(const CallSite&) override {
      signal(other_, 0, 1);
      return true;
    }

   private:
    os::Kernel& other_;
  };
  Machine machine;
  Process& one = machine.spawn();
  const int counter = *one.kernel().eventfd(0, abi::efd_nonblock);
  Waker waker(machine.fork(one).kernel());
  machine.set_schedule(&waker);
  os::PollFd wanted{counter, abi::pollin, 0};
  EXPECT_EQ(one.kernel().poll({&wanted, 1}, os::Deadline::never()), 1);
  EXPECT_EQ(machine.now(), 0u);
}

TEST(Truth, RemembersDoubleClosesAndCallsThatWouldBlock) {
  Machine machine;
  Process& process = machine.spawn();
  os::Kernel& kernel = process.kernel();
  const int blocking = *kernel.eventfd(0, 0);
  std::array<std::byte, 8> buffer;
  EXPECT_EQ(kernel.read(blocking, buffer).error(), Errno::eagain);
  EXPECT_TRUE(kernel.close(blocking));
  EXPECT_EQ(kernel.close(blocking).error(), Errno::ebadf);
  const Truth truth(machine);
  EXPECT_EQ(truth.bad_closes(), 1u);
  ASSERT_EQ(truth.would_block().size(), 1u);
  truth.would_block().for_each([&](const WouldBlock& fact) {
    EXPECT_EQ(fact.number, blocking);
    EXPECT_EQ(fact.call, Call::read);
    EXPECT_EQ(fact.process, &process);
  });
  EXPECT_EQ(truth.calls_of(process, Call::close), 2u);
}

TEST(Truth, TellsWhoHoldsADescriptionInFlight) {
  Machine machine;
  Process& process = machine.spawn();
  os::Kernel& kernel = process.kernel();
  const auto ends = *kernel.socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
  const int counter = *kernel.eventfd(0, abi::efd_cloexec);
  ASSERT_EQ(send_fds(kernel, ends.first, "x", {counter}), 1u);
  const Truth truth(machine);
  const auto holders = truth.holders(truth.description_of(process, counter));
  ASSERT_EQ(holders.size(), 2u);
  EXPECT_EQ(holders[0].process, &process);
  EXPECT_EQ(holders[0].number, counter);
  EXPECT_TRUE(holders[0].close_on_exec);
  EXPECT_EQ(holders[1].process, nullptr);
  EXPECT_EQ(holders[1].queued_at_socket, truth.description_of(process, ends.second));
}

TEST(Process, InstallsDescriptorsAsTheyAreDescribed) {
  Machine machine;
  Process& process = machine.spawn();
  os::Kernel& kernel = process.kernel();
  Described ram;
  ram.kind = FileKind::memfd;
  ram.link = "/memfd:ram0 (deleted)";
  ram.mode = 0100777;
  ram.size = std::uint64_t{1} << 40;
  ram.seals = abi::seal_seal;
  ram.offset = 77;
  ram.number = 9;
  ASSERT_EQ(process.install(ram), 9);
  EXPECT_EQ(process.install(ram), -1) << "9 is taken";
  EXPECT_TRUE(process.fill(9, 100, bytes_of("state")));
  std::array<char, 64> link;
  const auto length = kernel.readlink("/proc/self/fd/9", link);
  EXPECT_EQ(std::string_view(link.data(), length.value_or(0)), ram.link);
  EXPECT_EQ(kernel.fstat(9)->size, ram.size);
  EXPECT_EQ(kernel.fstat(9)->mode, ram.mode);
  EXPECT_EQ(kernel.lseek(9, 0, abi::seek_cur), 77u);
  EXPECT_EQ(kernel.fcntl(9, abi::f_get_seals, 0), abi::seal_seal);
  std::array<std::byte, 5> bytes;
  EXPECT_EQ(kernel.pread(9, bytes, 100), 5u);
  EXPECT_EQ(bytes[0], std::byte{'s'});

  Described group;
  group.kind = FileKind::character_device;
  group.link = "/dev/vfio/12";
  const int number = process.install(group);
  EXPECT_EQ(number, 0) << "the lowest free one";
  EXPECT_EQ(kernel.fstat(number)->mode & abi::s_ifmt, abi::s_ifchr);
  EXPECT_EQ(kernel.ioctl(number, 0x3b67, nullptr).error(), Errno::enotty);
}

TEST(Process, OpensTheDeviceNodesOfAHostWithVfio) {
  Machine machine;
  Process& process = machine.spawn();
  os::Kernel& kernel = process.kernel();
  const Truth truth(machine);
  EXPECT_EQ(machine.plug({DeviceModel::igb, 12, "0000:00:07.0"}), 0u);
  for (const auto& [path, device] : {std::pair{"/dev/vfio/vfio", Device::vfio_container},
                                     {"/dev/vfio/12", Device::vfio_group},
                                     {"/dev/vfio/devices/vfio0", Device::vfio_cdev},
                                     {"/dev/iommu", Device::iommufd},
                                     {"/dev/kvm", Device::kvm}}) {
    const auto fd = kernel.open(path, abi::o_rdwr | abi::o_cloexec);
    ASSERT_TRUE(fd) << path;
    EXPECT_EQ(truth.description(truth.description_of(process, *fd)).device, device);
    EXPECT_EQ(truth.description(truth.description_of(process, *fd)).link, path);
  }
  EXPECT_EQ(kernel.open("/dev/vfio/x", abi::o_rdwr).error(), Errno::enoent);
}

TEST(Listener, SeesEachCallAsOneLine) {
  class Lines final : public Listener {
   public:
    void called(const CallRecord& record) override { lines.push_back(format(record)); }
    std::vector<std::string> lines;
  } lines;
  Machine machine;
  machine.set_listener(&lines);
  os::Kernel& kernel = machine.spawn().kernel();
  (void)kernel.open("/dev/null", abi::o_rdonly);
  (void)kernel.close(7);
  EXPECT_EQ(lines.lines, (std::vector<std::string>{"#0 P1 open(\"/dev/null\", 0) = 0", "#1 P1 close(7) = EBADF"}));
}

}  // namespace
}  // namespace vcpr::machine
