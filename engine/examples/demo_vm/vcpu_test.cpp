// The guest and the thread around it, on a KVM made by hand. Skipped where /dev/kvm is of no use.
#include "engine/examples/demo_vm/vcpu.hpp"

#include <bit>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/examples/demo_vm/cpu_state.hpp"
#include "engine/examples/demo_vm/guest.hpp"
#include "engine/lifecycle/main_loop.hpp"
#include "engine/os/linux_kernel.hpp"

namespace vcpr::demo {
namespace {

constexpr std::size_t kRamBytes = 1 << 20;

/// Bare guest RAM, shared by two VMs one after the other.
struct Ram {
  Ram() : bytes(::mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  ~Ram() { ::munmap(bytes, kRamBytes); }
  Ram(const Ram&) = delete;
  Ram& operator=(const Ram&) = delete;
  std::span<std::byte> memory() const { return {static_cast<std::byte*>(bytes), kRamBytes}; }
  std::uint64_t at(std::uint32_t address) const {
    return std::atomic_ref(*static_cast<std::uint64_t*>(static_cast<void*>(memory().data() + address))).load();
  }
  std::uint32_t counter(std::uint32_t vector) const {
    std::uint32_t count = 0;
    std::memcpy(&count, memory().data() + guest_map().counters + vector * 4, 4);
    return count;
  }
  void* bytes;
};

/// A device whose pin is up until its cause is written back.
struct Pin : DeviceMemory {
  void read(std::uint64_t address, std::span<std::byte> bytes) override {
    reads.push_back(address);
    std::memcpy(bytes.data(), &cause, bytes.size());
  }
  void write(std::uint64_t address, std::span<const std::byte> bytes) override {
    writes.push_back(address);
    std::memcpy(&acknowledged, bytes.data(), bytes.size());
  }
  std::uint32_t cause = 0x55;
  std::uint32_t acknowledged = 0;
  std::vector<std::uint64_t> reads, writes;
};

struct RawVm {
  explicit RawVm(const Ram& ram) : system(::open("/dev/kvm", O_RDWR | O_CLOEXEC)) {
    vm = ::ioctl(system, KVM_CREATE_VM, 0);
    ::ioctl(vm, KVM_CREATE_IRQCHIP, 0);
    kvm_userspace_memory_region slot{0, 0, 0, kRamBytes, std::bit_cast<std::uintptr_t>(ram.bytes)};
    ::ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot);
    vcpu = ::ioctl(vm, KVM_CREATE_VCPU, 0);
    EXPECT_TRUE(set_features(*os::linux_kernel(), vcpu));
  }
  ~RawVm() {
    for (int fd : {vcpu, vm, system}) ::close(fd);
  }
  RawVm(const RawVm&) = delete;
  RawVm& operator=(const RawVm&) = delete;
  int send(std::uint32_t vector) const {
    kvm_msi message{};
    message.address_lo = 0xfee00000;
    message.data = vector;
    return ::ioctl(vm, KVM_SIGNAL_MSI, &message);
  }
  void set_pin(std::uint32_t gsi, std::uint32_t level) const {
    kvm_irq_level line{};
    line.irq = gsi;
    line.level = level;
    ::ioctl(vm, KVM_IRQ_LINE, &line);
  }
  int system, vm = -1, vcpu = -1;
};

bool has_kvm() {
  const int fd = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

class VcpuTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_kvm()) GTEST_SKIP() << "no /dev/kvm";
    load_guest(ram.memory());
  }
  /// Turns the main loop until it holds, ten seconds at most.
  bool eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 10'000 && !holds(); ++i) (void)loop.turn(os::Deadline::after(kernel->now(), {1'000'000}));
    return holds();
  }
  std::uint64_t beats() const { return ram.at(guest_map().heartbeat); }

  std::unique_ptr<os::Kernel> kernel = os::linux_kernel();
  lifecycle::MainLoop loop{*kernel};
  Ram ram;
  Pin pin;
};

TEST_F(VcpuTest, HeartBeatsWhileItMayRun) {
  RawVm vm(ram);
  Vcpu vcpu(*kernel, loop);
  ASSERT_TRUE(vcpu.attach(vm.vcpu, pin));
  ASSERT_TRUE(start_flat(*kernel, vm.vcpu));
  ASSERT_TRUE(vcpu.resume());
  EXPECT_TRUE(eventually([&] { return beats() > 1000; }));
  ASSERT_TRUE(vcpu.pause());
  const std::uint64_t paused = beats();
  ::usleep(20'000);
  EXPECT_EQ(beats(), paused);
  ASSERT_TRUE(vcpu.resume());
  EXPECT_TRUE(eventually([&] { return beats() > paused; }));
  EXPECT_FALSE(vcpu.trouble());
  EXPECT_EQ(ram.at(guest_map().fault) & 0xffff'ffff, 0);
}

TEST_F(VcpuTest, MessageIsCountedOncePerVector) {
  RawVm vm(ram);
  Vcpu vcpu(*kernel, loop);
  ASSERT_TRUE(vcpu.attach(vm.vcpu, pin));
  ASSERT_TRUE(start_flat(*kernel, vm.vcpu));
  ASSERT_TRUE(vcpu.resume());
  ASSERT_TRUE(eventually([&] { return beats() > 10; }));
  for (std::uint32_t vector : {0x40U, 0x47U, 0xbfU}) {
    EXPECT_EQ(vm.send(vector), 1);
    EXPECT_TRUE(eventually([&] { return ram.counter(vector) != 0; }));
  }
  ::usleep(5'000);
  EXPECT_EQ(ram.counter(0x40) + ram.counter(0x47) + ram.counter(0xbf), 3);
}

TEST_F(VcpuTest, HaltedGuestIsWokenByItsTimer) {
  const std::uint32_t on = 1;
  std::memcpy(ram.memory().data() + guest_map().sleeps, &on, 4);
  RawVm vm(ram);
  Vcpu vcpu(*kernel, loop);
  ASSERT_TRUE(vcpu.attach(vm.vcpu, pin));
  ASSERT_TRUE(start_flat(*kernel, vm.vcpu));
  ASSERT_TRUE(vcpu.resume());
  EXPECT_TRUE(eventually([&] { return ram.counter(kTimerVector) > 3; }));
  EXPECT_LT(beats(), 2 * ram.counter(kTimerVector) + 10);
}

TEST_F(VcpuTest, HandlerSilencesThePinThroughTheMainLoop) {
  constexpr std::uint32_t kGsi = 20;
  const std::uint32_t entry = 0x8040;  // level, vector 0x40
  std::memcpy(ram.memory().data() + guest_map().pins + kGsi * 4, &entry, 4);
  const std::uint32_t ack[] = {0xe0000024, 0xe0000064};
  std::memcpy(ram.memory().data() + guest_map().acks + 0x40 * 8, ack, 8);
  RawVm vm(ram);
  Vcpu vcpu(*kernel, loop);
  ASSERT_TRUE(vcpu.attach(vm.vcpu, pin));
  ASSERT_TRUE(start_flat(*kernel, vm.vcpu));
  ASSERT_TRUE(vcpu.resume());
  ASSERT_TRUE(eventually([&] { return beats() > 10; }));
  vm.set_pin(kGsi, 1);
  ASSERT_TRUE(eventually([&] { return !pin.writes.empty(); }));
  vm.set_pin(kGsi, 0);
  EXPECT_TRUE(eventually([&] { return ram.counter(0x40) != 0; }));
  EXPECT_EQ(pin.reads.front(), 0xe0000024);
  EXPECT_EQ(pin.writes.front(), 0xe0000064);
  EXPECT_EQ(pin.acknowledged, pin.cause);
}

TEST_F(VcpuTest, PauseServesAnAccessThatIsUnderWay) {
  const std::uint32_t entry = 0x8040;
  std::memcpy(ram.memory().data() + guest_map().pins + 20 * 4, &entry, 4);
  const std::uint32_t ack[] = {0xe0000024, 0};
  std::memcpy(ram.memory().data() + guest_map().acks + 0x40 * 8, ack, 8);
  RawVm vm(ram);
  Vcpu vcpu(*kernel, loop);
  ASSERT_TRUE(vcpu.attach(vm.vcpu, pin));
  ASSERT_TRUE(start_flat(*kernel, vm.vcpu));
  vm.set_pin(20, 1);  // nobody turns the loop: the first interrupt waits for its access
  ASSERT_TRUE(vcpu.resume());
  ::usleep(50'000);
  ASSERT_TRUE(vcpu.pause());
  EXPECT_FALSE(pin.reads.empty());
}

/// Registers, what was injected half way, the halted state and the clock go over; memory stays.
TEST_F(VcpuTest, GuestGoesOnInAnotherVm) {
  auto old = std::make_unique<RawVm>(ram);
  CpuState state;
  std::uint64_t stamp = 0;
  {
    Vcpu vcpu(*kernel, loop);
    ASSERT_TRUE(vcpu.attach(old->vcpu, pin));
    ASSERT_TRUE(start_flat(*kernel, old->vcpu));
    ASSERT_TRUE(vcpu.resume());
    ASSERT_TRUE(eventually([&] { return beats() > 1000; }));
    ASSERT_TRUE(vcpu.pause());
    ASSERT_TRUE(fetch(*kernel, old->vcpu, state));
    stamp = ram.at(guest_map().stamp);
  }
  kvm_lapic_state lapic{};
  ASSERT_EQ(::ioctl(old->vcpu, KVM_GET_LAPIC, &lapic), 0);
  old.reset();
  RawVm other(ram);
  ASSERT_EQ(::ioctl(other.vcpu, KVM_SET_LAPIC, &lapic), 0);
  ASSERT_TRUE(restore(*kernel, other.vcpu, state));
  Vcpu vcpu(*kernel, loop);
  ASSERT_TRUE(vcpu.attach(other.vcpu, pin));
  const std::uint64_t before = beats();
  ASSERT_TRUE(vcpu.resume());
  EXPECT_TRUE(eventually([&] { return beats() > before + 1000; }));
  EXPECT_GT(ram.at(guest_map().stamp), stamp);
  EXPECT_EQ(other.send(0x41), 1);
  EXPECT_TRUE(eventually([&] { return ram.counter(0x41) == 1; }));
  EXPECT_FALSE(vcpu.trouble());
}

}  // namespace
}  // namespace vcpr::demo
