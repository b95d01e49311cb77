// Proves what no call shows: levels that come again after EOI, the order of resampling, lifetimes and the log of
// injections.
#include "engine/os/abi/kvm.hpp"

#include <gtest/gtest.h>
#include <vector>

#include "engine/os/abi.hpp"
#include "properties/machine/event_waiter.hpp"
#include "properties/machine/kvm/guest.hpp"
#include "properties/machine/kvm/irqfd.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::machine {
namespace {

namespace abi = os::abi;
namespace request = os::abi::request;

constexpr std::uint32_t kPin = 20;
constexpr std::uint8_t kVector = 0x51;
constexpr std::uint32_t kLevel = 1 << 15;
constexpr std::uint32_t kMasked = 1 << 16;
constexpr std::uint8_t kRegister = 0x10 + 2 * kPin;

std::uint64_t read_count(os::Kernel& k, int fd) {
  std::uint64_t value = 0;
  return k.read(fd, std::as_writable_bytes(std::span(&value, 1))) ? value : 0;
}

/// A VM with an irqchip, an enabled vCPU 0 and an eventfd.
struct Stage {
  explicit Stage(const Switches& switches = {}) : machine(switches), process(machine.spawn()), k(process.kernel()) {
    kvm = *k.open("/dev/kvm", abi::o_rdwr);
    vm_fd = make_vm();
    vm = find(vm_fd);
    vcpu_fd = *k.ioctl(vm_fd, request::kvm_create_vcpu, nullptr);
    vcpu().lapic.write(ApicRegister::spurious, 0x1ff);
    counter = *k.eventfd(0, abi::efd_nonblock);
    resample = *k.eventfd(0, abi::efd_nonblock);
  }
  int make_vm() {
    const int fd = *k.ioctl(kvm, request::kvm_create_vm, nullptr);
    EXPECT_TRUE(k.ioctl(fd, request::kvm_create_irqchip, nullptr));
    return fd;
  }
  KvmVm* find(int fd) { return find_vm(machine.impl(), Truth(machine).description_of(process, fd)); }
  Vcpu& vcpu() { return *find_vcpu(*vm, 0); }
  os::Result<int> assign(int to, std::uint32_t flags = 0) {
    abi::kvm_irqfd irqfd{};
    irqfd.fd = static_cast<std::uint32_t>(counter);
    irqfd.gsi = kPin;
    irqfd.flags = flags;
    irqfd.resamplefd = static_cast<std::uint32_t>(resample);
    return k.ioctl(to, request::kvm_irqfd, &irqfd);
  }
  void signal() {
    const std::uint64_t one = 1;
    EXPECT_TRUE(k.write(counter, std::as_bytes(std::span(&one, 1))));
  }

  Machine machine;
  Process& process;
  os::Kernel& k;
  int kvm = -1, vm_fd = -1, vcpu_fd = -1, counter = -1, resample = -1;
  KvmVm* vm = nullptr;
};

TEST(KvmLine, ALevelComesAgainUntilItFalls) {
  Stage s;
  write_ioapic(*s.vm, kRegister, kVector | kLevel);
  (void)set_irq(*s.vm, LineSource::user, kPin, true);
  EXPECT_EQ(take_interrupt(s.vcpu()), kVector);
  EXPECT_EQ(take_interrupt(s.vcpu()), kNoVector);
  EXPECT_EQ(end_interrupt(s.vcpu()), kVector);
  EXPECT_EQ(take_interrupt(s.vcpu()), kVector) << "still high";
  (void)set_irq(*s.vm, LineSource::user, kPin, false);
  EXPECT_EQ(end_interrupt(s.vcpu()), kVector);
  EXPECT_EQ(take_interrupt(s.vcpu()), kNoVector);
  EXPECT_EQ(end_interrupt(s.vcpu()), kNoVector);
}

TEST(KvmLine, AnEdgeBehindTheMaskIsKeptButNotSent) {
  Stage s;
  EXPECT_EQ(set_irq(*s.vm, LineSource::user, kPin, true), -1);
  write_ioapic(*s.vm, kRegister, kVector);
  EXPECT_EQ(take_interrupt(s.vcpu()), kNoVector) << "unmasking sends levels only";
  (void)set_irq(*s.vm, LineSource::user, kPin, false);
  EXPECT_EQ(set_irq(*s.vm, LineSource::user, kPin, true), 1);
  EXPECT_EQ(take_interrupt(s.vcpu()), kVector);
}

TEST(KvmLine, ALowerPriorityWaits) {
  Stage s;
  (void)send_msi(*s.vm, 0xfee00000, 0, 0x31);
  (void)send_msi(*s.vm, 0xfee00000, 0, 0x52);
  EXPECT_EQ(take_interrupt(s.vcpu()), 0x52);
  EXPECT_EQ(take_interrupt(s.vcpu()), kNoVector);
  EXPECT_EQ(end_interrupt(s.vcpu()), 0x52);
  s.vcpu().lapic.set_task_priority(0x30);
  EXPECT_EQ(take_interrupt(s.vcpu()), kNoVector);
  s.vcpu().lapic.set_task_priority(0x20);
  EXPECT_EQ(take_interrupt(s.vcpu()), 0x31);
}

TEST(KvmResample, EoiLowersTheLineAndTellsTheOwner) {
  Stage s;
  write_ioapic(*s.vm, kRegister, kVector | kLevel);
  ASSERT_TRUE(s.assign(s.vm_fd, abi::kvm_irqfd_flag_resample));
  s.signal();
  EXPECT_EQ(take_interrupt(s.vcpu()), kVector);
  EXPECT_EQ(read_count(s.k, s.resample), 0u);
  EXPECT_EQ(end_interrupt(s.vcpu()), kVector);
  EXPECT_EQ(read_count(s.k, s.resample), 1u);
  EXPECT_EQ(get_ioapic(*s.vm).irr >> kPin & 1, 0u);
  EXPECT_EQ(take_interrupt(s.vcpu()), kNoVector);
}

/// A device whose line is still high when it is asked.
class StillHigh final : public EventWaiter {
 public:
  explicit StillHigh(Description& what) : trigger(what) {}
  void signalled(Machine::Impl& machine, Description& eventfd) override {
    (void)take_counter(machine, eventfd);
    signal_eventfd(machine, trigger);
  }
  void hung_up(Machine::Impl&, Description&) override {}
  bool is_exclusive() const override { return false; }
  Description& trigger;
};

TEST(KvmResample, ALineStillHighComesAgain) {
  Stage s;
  DescriptorTable& table = state_of(s.process).table;
  StillHigh device(*table.find(s.counter)->description);
  add_waiter(*table.find(s.resample)->description, device);
  write_ioapic(*s.vm, kRegister, kVector | kLevel);
  ASSERT_TRUE(s.assign(s.vm_fd, abi::kvm_irqfd_flag_resample));
  s.signal();
  EXPECT_EQ(take_interrupt(s.vcpu()), kVector);
  EXPECT_EQ(end_interrupt(s.vcpu()), kVector);
  EXPECT_EQ(take_interrupt(s.vcpu()), kVector);
  write_ioapic(*s.vm, kRegister, kVector | kLevel | kMasked);
  EXPECT_EQ(end_interrupt(s.vcpu()), kVector);
  EXPECT_EQ(take_interrupt(s.vcpu()), kNoVector) << "masked";
  write_ioapic(*s.vm, kRegister, kVector | kLevel);
  EXPECT_EQ(take_interrupt(s.vcpu()), kVector) << "asked again by the unmask";
  remove_waiter(*table.find(s.resample)->description, device);
}

TEST(KvmIrqfd, EveryInjectionIsLogged) {
  Stage s;
  write_ioapic(*s.vm, kRegister, kVector);
  ASSERT_TRUE(s.assign(s.vm_fd));
  s.signal();
  s.signal();
  const Truth truth(s.machine);
  std::vector<Injection> injections;
  truth.injections().for_each([&](const Injection& each) { injections.push_back(each); });
  ASSERT_EQ(injections.size(), 2u);
  EXPECT_EQ(injections[0].eventfd, truth.description_of(s.process, s.counter));
  EXPECT_EQ(injections[0].vm, truth.description_of(s.process, s.vm_fd));
  EXPECT_EQ(injections[0].gsi, kPin);
  EXPECT_EQ(injections[0].result, 1);
  std::vector<bool> news;
  truth.deliveries().for_each([&](const Delivery& each) { news.push_back(each.is_new); });
  EXPECT_EQ(news, (std::vector<bool>{true, false})) << "the second was pending already";
}

TEST(KvmIrqfd, GoesWithTheLastFileOfItsEventfd) {
  Stage s;
  ASSERT_TRUE(s.assign(s.vm_fd));
  ASSERT_TRUE(s.k.close(s.counter));
  EXPECT_EQ(s.vm->irqfds, nullptr);
}

TEST(KvmIrqfd, ByTheOlderRuleTheLatestVmGetsTheSignals) {
  Switches older;
  older.irqfd_excludes_other_vms = false;
  Stage s(older);
  const int second = s.make_vm();
  ASSERT_TRUE(s.assign(s.vm_fd));
  EXPECT_EQ(s.assign(s.vm_fd).error(), os::Errno::ebusy);
  ASSERT_TRUE(s.assign(second));
  s.signal();
  std::vector<std::uint32_t> vms;
  const Truth truth(s.machine);
  truth.injections().for_each([&](const Injection& each) { vms.push_back(each.vm); });
  EXPECT_EQ(vms, std::vector{truth.description_of(s.process, second)});
}

TEST(KvmVm, LivesAsLongAsAVcpuFile) {
  Stage s;
  const std::uint32_t file = Truth(s.machine).description_of(s.process, s.vm_fd);
  ASSERT_TRUE(s.k.close(s.vm_fd));
  EXPECT_NE(find_vm(s.machine.impl(), file), nullptr);
  ASSERT_TRUE(s.k.close(s.vcpu_fd));
  EXPECT_EQ(find_vm(s.machine.impl(), file), nullptr);
}

TEST(KvmTrace, DoesNotHoldAddressesOfTheCaller) {
  const auto hash_with = [](std::int32_t& fd) {
    Machine machine;
    os::Kernel& k = machine.spawn().kernel();
    const int kvm = *k.open("/dev/kvm", abi::o_rdwr);
    const int vm = *k.ioctl(kvm, request::kvm_create_vm, nullptr);
    abi::kvm_create_device device{.type = abi::kvm_dev_type_vfio};
    EXPECT_TRUE(k.ioctl(vm, request::kvm_create_device, &device));
    abi::kvm_device_attr attr{.group = 1, .attr = 1, .addr = reinterpret_cast<std::uintptr_t>(&fd)};
    EXPECT_FALSE(k.ioctl(static_cast<int>(device.fd), request::kvm_set_device_attr, &attr));
    return machine.hash();
  };
  std::int32_t here = -1;
  std::int32_t there = -1;
  EXPECT_EQ(hash_with(here), hash_with(there));
}

}  // namespace
}  // namespace vcpr::machine
