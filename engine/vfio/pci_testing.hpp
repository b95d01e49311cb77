// A VM with one passthrough device in one process of the simulated machine, for tests of PCI devices.
#pragma once

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/kvm/interrupt_state.hpp"
#include "engine/lifecycle/life_testing.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/store/null_kernel.hpp"
#include "engine/vfio/bars.hpp"
#include "engine/vfio/config_space.hpp"
#include "engine/vfio/interrupts.hpp"
#include "engine/vfio/pci_device.hpp"
#include "engine/vfio/vfio_testing.hpp"
#include "engine/vmstate/main_stream.hpp"
#include "properties/machine/event_waiter.hpp"
#include "properties/machine/kvm/guest.hpp"
#include "properties/machine/kvm/ioapic.hpp"
#include "properties/machine/pci/guest.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/truth.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::vfio {

inline constexpr std::uint32_t kGuestPin = 21;
inline constexpr std::uint8_t kLineVector = 0x90;
/// Of message n the guest's CPU sees kFirstMessage + n.
inline constexpr std::uint8_t kFirstMessage = 0x40;
inline constexpr std::uint64_t kMessageAddress = 0xfee0'0000;

/// Of steps that are done one after the other: braces have an order, + has none.
inline std::string texts(std::initializer_list<Expected<void>> results) {
  std::string all;
  for (const Expected<void>& each : results) all += text_of(each);
  return all;
}
inline std::string joined(std::initializer_list<std::string> results) {
  std::string all;
  for (const std::string& each : results) all += each;
  return all;
}

/// Hands on what a VMM's devices call, and writes down those that change interrupts, as "MSIX trigger 0+1 {-1}".
class SpyKernel final : public store::NullKernel {
  template <class T>
  using Result = os::Result<T>;

 public:
  explicit SpyKernel(os::Kernel& to) : to_(to) {}
  std::vector<std::string> seen;
  /// Before each call that is an interrupt's: a moment at which a device may raise one.
  std::function<void()> between;

  Result<int> ioctl(int fd, std::uint64_t request, void* argument) override {
    const std::string line = describe(request, argument);
    if (!line.empty()) seen.push_back(line);
    step();
    return to_.ioctl(fd, request, argument);
  }
  Result<std::size_t> write(int fd, std::span<const std::byte> bytes) override {
    step();
    return to_.write(fd, bytes);
  }
  Result<std::size_t> pwrite(int fd, std::span<const std::byte> bytes, std::uint64_t offset) override {
    seen.emplace_back("pwrite");
    return to_.pwrite(fd, bytes, offset);
  }
  Result<int> open(const char* path, int flags) override { return to_.open(path, flags); }
  Result<void> close(int fd) override { return to_.close(fd); }
  Result<int> fcntl(int fd, int command, std::int64_t argument) override { return to_.fcntl(fd, command, argument); }
  Result<std::size_t> read(int fd, std::span<std::byte> buffer) override { return to_.read(fd, buffer); }
  Result<std::size_t> pread(int fd, std::span<std::byte> buffer, std::uint64_t offset) override {
    return to_.pread(fd, buffer, offset);
  }
  Result<os::Stat> fstat(int fd) override { return to_.fstat(fd); }
  Result<std::size_t> readlink(const char* path, std::span<char> buffer) override { return to_.readlink(path, buffer); }
  Result<int> eventfd(std::uint32_t initial, int flags) override { return to_.eventfd(initial, flags); }
  Result<os::UserAddr> mmap(os::UserAddr address, std::uint64_t length, int protection, int flags, int fd,
                            std::uint64_t offset) override {
    return to_.mmap(address, length, protection, flags, fd, offset);
  }
  Result<void> munmap(os::UserAddr address, std::uint64_t length) override { return to_.munmap(address, length); }
  Result<int> poll(std::span<os::PollFd> fds, os::Deadline deadline) override { return to_.poll(fds, deadline); }
  std::uint64_t now() override { return to_.now(); }

 private:
  void step() {
    if (between) between();
  }
  static std::string describe(std::uint64_t request, void* argument) {
    namespace abi = os::abi;
    if (request == abi::request::kvm_set_gsi_routing) return "routes";
    if (request == abi::request::vfio_device_reset) return "reset";
    if (request == abi::request::kvm_irqfd) {
      const auto& irqfd = *static_cast<const abi::kvm_irqfd*>(argument);
      const bool off = (irqfd.flags & abi::kvm_irqfd_flag_deassign) != 0;
      const bool resample = (irqfd.flags & abi::kvm_irqfd_flag_resample) != 0;
      return std::string(off ? "irqfd off " : "irqfd ") + std::to_string(irqfd.gsi) + (resample ? " resample" : "");
    }
    if (request != abi::request::vfio_device_set_irqs) return "";
    const auto& set = *static_cast<const abi::vfio_irq_set*>(argument);
    constexpr std::array<std::string_view, 5> kNames{"INTX", "MSI", "MSIX", "ERR", "REQ"};
    std::string text(kNames[set.index]);
    if ((set.flags & abi::vfio_irq_set_action_mask) != 0) text += " mask";
    if ((set.flags & abi::vfio_irq_set_action_unmask) != 0) text += " unmask";
    if ((set.flags & abi::vfio_irq_set_action_trigger) != 0) text += set.count == 0 ? " disable" : " trigger";
    if ((set.flags & abi::vfio_irq_set_data_eventfd) == 0) return text;
    text += " " + std::to_string(set.start) + "+" + std::to_string(set.count);
    for (std::uint32_t i = 0; i < set.count; ++i) {
      std::int32_t fd = 0;
      std::memcpy(&fd, static_cast<const std::byte*>(argument) + sizeof set + i * sizeof fd, sizeof fd);
      text += fd < 0 ? " -" : " fd";
    }
    return text;
  }

  os::Kernel& to_;
};

/// What user space was asked to deliver, and what a device told its embedder.
struct NotingEmbedder final : kvm::InterruptSink, DeviceEvents {
  std::vector<std::uint32_t> messages;  ///< their data
  std::vector<std::string> lines;       ///< "21 up"
  std::uint32_t errors = 0;
  std::uint32_t requests = 0;

  Expected<void> send_message(const kvm::MsiMessage& message) override {
    messages.push_back(message.data);
    return {};
  }
  Expected<void> set_line(std::uint32_t gsi, bool up) override {
    lines.push_back(std::to_string(gsi) + (up ? " up" : " down"));
    return {};
  }
  void device_error(const std::string&) override { ++errors; }
  void unplug_requested(const std::string&) override { ++requests; }
};

struct PciSetup {
  machine::DeviceModel model = machine::DeviceModel::igb;
  bool kvm = true;
  PciOptions options{.path = "0000:00:05.0"};
  std::string_view host = "0000:00:07.0";
};

/// One process's VM. Objects go in the reverse of their making.
class PciVm {
 public:
  PciVm(machine::Process& in, const PciSetup& setup, lifecycle::Incoming incoming = lifecycle::Incoming::none,
        store::CprState arrived = {})
      : process(in), kernel(in.kernel()), test_life(kernel, incoming), life(test_life.life), setup_(setup) {
    for (const store::Entry entry : arrived.descriptors) {
      EXPECT_TRUE(life.cpr.descriptors.save(entry.key, os::Fd(kernel, entry.number)));
    }
    arrived.descriptors.disown();
    life.run_state =
        incoming == lifecycle::Incoming::none ? lifecycle::RunState::running : lifecycle::RunState::inmigrate;
    if (setup.kvm) make_kvm();
    vm.emplace(life, memory, kvm ? &*kvm : nullptr, kvm ? static_cast<kvm::InterruptSink&>(*kvm) : embedder);
  }
  ~PciVm() { device.reset(); }
  PciVm(const PciVm&) = delete;
  PciVm& operator=(const PciVm&) = delete;

  Expected<void> plug() {
    auto attached = Device::attach(*vm, {.name = std::string(setup_.host), .group = 7});
    if (!attached) return std::unexpected(std::move(attached.error()));
    auto made = PciDevice::realize(*vm, std::move(*attached), setup_.options, embedder);
    if (!made) return std::unexpected(std::move(made.error()));
    device = std::move(*made);
    kernel.seen.clear();
    return {};
  }
  PciDevice& pci() { return *device; }

  // The guest
  std::string config(std::uint32_t offset, std::uint32_t value, std::uint32_t bytes) {
    return text_of(device->write_config(offset, value, bytes));
  }
  std::string enable_memory() { return config(pci::kCommand, pci::kCommandMemory | pci::kCommandMaster, 2); }
  std::string set_msix(std::uint32_t bits) { return config(device->config().msix()->offset + 2, bits, 2); }
  std::string enable_msi(std::uint32_t vector = 0) {
    const MsiCapability& msi = *device->config().msi();
    std::string failed = config(msi.offset + 4, static_cast<std::uint32_t>(kMessageAddress), 4);
    failed += config(msi.data(), kFirstMessage + vector, 2);
    return failed + config(msi.offset + 2, pci::kMsiEnable, 2);
  }
  /// Address and data, then the mask bit.
  std::string program(std::uint32_t vector, bool masked) {
    const std::array<std::uint32_t, 4> entry{static_cast<std::uint32_t>(kMessageAddress), 0, kFirstMessage + vector,
                                             masked ? 1U : 0U};
    return table(16ULL * vector, std::as_bytes(std::span(entry)));
  }
  std::string mask(std::uint32_t vector, bool masked) {
    const std::uint32_t control = masked ? 1 : 0;
    return table(16ULL * vector + 12, std::as_bytes(std::span(&control, 1)));
  }
  std::uint64_t pending_bits() {
    const MsixCapability& msix = *device->config().msix();
    std::uint64_t bits = 0;
    EXPECT_TRUE(device->read_bar(msix.pending_bar, msix.pending_offset, std::as_writable_bytes(std::span(&bits, 1))));
    return bits;
  }
  std::string touch_bar() {
    std::uint32_t word = 0;
    return text_of(device->read_bar(0, 0, std::as_writable_bytes(std::span(&word, 1))));
  }
  std::string route() { return text_of(device->set_intx_route({.enabled = true, .gsi = kGuestPin})); }
  /// The vector that the CPU takes, with its EOI; -1: none.
  int take() {
    const int vector = machine::take_interrupt(vcpu());
    if (vector < 0) return vector;
    EXPECT_EQ(machine::end_interrupt(vcpu()), vector);
    return vector;
  }
  /// Whether `vector` is among what the CPU takes now; a line that stays up comes again and again.
  bool takes(int vector) {
    bool taken = false;
    for (int count = 0; count < 32; ++count) taken |= take() == vector;
    return taken;
  }
  machine::KvmVm& kvm_vm() {
    return *machine::find_vm(machine_of(), machine::state_of(process).table.find(kvm->vm_fd())->description->id);
  }
  machine::Vcpu& vcpu() { return *machine::find_vcpu(kvm_vm(), 0); }
  machine::Machine::Impl& machine_of() { return machine::state_of(process).machine; }

  /// Handlers that are due run until none is.
  void settle() {
    for (int turns = 0; turns < 4; ++turns) EXPECT_TRUE(test_life.loop.turn(os::Deadline{kernel.now()}));
  }
  std::vector<std::string> seen() { return std::exchange(kernel.seen, {}); }

  // A handover
  Expected<void> let_go() {
    life.run_state = lifecycle::RunState::finish_migrate;
    return life.participants.let_go(lifecycle::Mode::cpr_transfer);
  }
  Expected<void> take_back() {
    auto back = life.participants.take_back();
    if (back) life.run_state = lifecycle::RunState::running;
    return back;
  }
  void give_away() {
    life.participants.done();
    life.run_state = lifecycle::RunState::postmigrate;
    if (kvm) kvm->close();
  }
  Expected<void> take_over() {
    if (auto good = life.participants.check_loaded(lifecycle::Mode::cpr_transfer); !good) return good;
    return life.participants.take_over(lifecycle::Mode::cpr_transfer);
  }
  void run() {
    life.incoming = lifecycle::Incoming::none;
    life.run_state = lifecycle::RunState::running;
  }

  machine::Process& process;
  SpyKernel kernel;
  lifecycle::TestLife test_life;
  lifecycle::Life& life;
  memory::AddressMap memory;
  NotingEmbedder embedder;
  std::optional<kvm::Vm> kvm;
  std::unique_ptr<kvm::InterruptState> controllers;
  std::optional<Vm> vm;
  std::unique_ptr<PciDevice> device;

 private:
  std::string table(std::uint64_t offset, std::span<const std::byte> bytes) {
    const MsixCapability& msix = *device->config().msix();
    return text_of(device->write_bar(msix.table_bar, msix.table_offset + offset, bytes));
  }
  void make_kvm() {
    auto made = kvm::Vm::create(kernel, 1);
    EXPECT_TRUE(made);
    kvm.emplace(std::move(*made));
    controllers = *kvm::InterruptState::attach(life, *kvm);
    vcpu().lapic.write(machine::ApicRegister::spurious, 0x1ff);
    constexpr std::uint32_t kLevel = 1 << 15;
    machine::write_ioapic(kvm_vm(), 0x10 + 2 * kGuestPin, kLineVector | kLevel);
  }

  PciSetup setup_;
};

/// A host with a device, an old process, and a new one when it is asked for.
struct PciHost {
  explicit PciHost(const PciSetup& with = {}, const machine::Switches& switches = {})
      : setup(with), machine(switches), number(machine.plug({with.model, 7, with.host})) {
    old = std::make_unique<PciVm>(machine.spawn(), setup);
    const auto plugged = old->plug();
    EXPECT_TRUE(plugged) << plugged.error().message();
  }
  /// The device raises what it has on, its driver having started.
  void raise(std::uint32_t vector = 0) { machine::raise_interrupt(machine, number, vector); }
  machine::VfioDevice& hardware() { return *machine::find_cdev(machine.impl(), number); }
  /// The new process with what the table now has, up to its device.
  PciVm& make_next() {
    machine::Process& process = machine.spawn();
    next = std::make_unique<PciVm>(process, setup, lifecycle::Incoming::transfer,
                                   arrive(old->life.cpr, old->process, process));
    next->kernel.seen.clear();
    const auto plugged = next->plug();
    EXPECT_TRUE(plugged) << plugged.error().message();
    return *next;
  }
  /// Sections from old to new, through the main stream.
  Expected<void> carry() {
    vmstate::Configuration configuration;
    configuration.machine = "vcpr";
    wire::Outbox out;
    wire::Writer writer(out);
    if (auto saved = vmstate::save_main_stream(configuration, old->life.sections, {}, writer); !saved) return saved;
    wire::Reader in(out.bytes);
    auto loaded = vmstate::load_main_stream(configuration, next->life.sections, in);
    return loaded ? Expected<void>() : std::unexpected(std::move(loaded.error()));
  }
  /// From old to new, which runs then.
  std::string hand_over() {
    if (!next) make_next();
    std::string failed = texts({old->let_go(), carry(), next->take_over()});
    old->give_away();
    next->run();
    return failed;
  }
  /// The old one is gone; the new one is the next one's old.
  void next_is_old() { old = std::move(next); }
  /// As many igb MSI-X vectors as asked, unmasked.
  void use_msix(PciVm& vm, std::uint32_t vectors) {
    EXPECT_EQ(vm.enable_memory(), "");
    EXPECT_EQ(vm.set_msix(pci::kMsixEnable), "");
    for (std::uint32_t vector = 0; vector < vectors; ++vector) EXPECT_EQ(vm.program(vector, false), "");
    machine::start_driver(machine, number);
  }

  PciSetup setup;
  machine::Machine machine;
  std::uint32_t number;
  std::unique_ptr<PciVm> old;
  std::unique_ptr<PciVm> next;
};

}  // namespace vcpr::vfio
