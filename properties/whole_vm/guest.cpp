#include "properties/whole_vm/guest.hpp"

#include <array>
#include <cstring>

#include "engine/os/abi/kvm.hpp"
#include "properties/machine/kvm/guest.hpp"
#include "properties/machine/pci/guest.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::whole_vm {

namespace {

namespace abi = os::abi;

constexpr std::uint8_t kFirstVector = 0x40;
constexpr std::uint32_t kFirstPin = 16;  ///< of the IOAPIC: PCI devices
constexpr std::uint64_t kMessageAddress = 0xfee00000;
constexpr std::uint64_t kFirstBar = 0xe0000000;
constexpr std::uint64_t kBarStride = 0x1000000;
constexpr std::uint32_t kLevel = 1u << 15;

// PCI configuration space
constexpr std::uint32_t kCommand = 0x04;
constexpr std::uint32_t kBar0 = 0x10;
constexpr std::uint32_t kCapabilities = 0x34;
constexpr std::uint32_t kMemoryAndMaster = 0x6;
constexpr std::uint32_t kMsiCapability = 0x05;
constexpr std::uint32_t kMsixCapability = 0x11;

std::uint32_t find_capability(vfio::PciDevice& device, std::uint32_t wanted) {
  std::uint32_t at = device.read_config(kCapabilities, 1);
  for (int left = 48; at != 0 && left != 0; --left) {
    if (device.read_config(at, 1) == wanted) return at;
    at = device.read_config(at + 1, 1);
  }
  return 0;
}

Expected<void> enable_msi(vfio::PciDevice& device, std::uint8_t vector) {
  const std::uint32_t at = find_capability(device, kMsiCapability);
  const bool is_wide = (device.read_config(at + 2, 2) & 0x80) != 0;
  auto done = device.write_config(at + 4, kMessageAddress, 4);
  if (done && is_wide) done = device.write_config(at + 8, 0, 4);
  if (done) done = device.write_config(at + (is_wide ? 12 : 8), vector, 2);
  if (done) done = device.write_config(at + 2, device.read_config(at + 2, 2) | 1, 2);
  return done;
}

Expected<void> write_table(vfio::PciDevice& device, std::uint32_t bar, std::uint64_t offset, std::uint32_t value) {
  std::array<std::byte, 4> bytes{};
  std::memcpy(bytes.data(), &value, 4);
  return device.write_bar(bar, offset, bytes);
}

Expected<void> enable_msix(vfio::PciDevice& device, std::uint8_t first_vector, std::uint32_t count) {
  const std::uint32_t at = find_capability(device, kMsixCapability);
  const std::uint32_t table = device.read_config(at + 4, 4);
  const std::uint32_t bar = table & 7;
  Expected<void> done = device.write_config(at + 2, device.read_config(at + 2, 2) | 0x8000, 2);
  for (std::uint32_t i = 0; done && i < count; ++i) {
    const std::uint64_t entry = (table & ~7u) + std::uint64_t{i} * 16;
    done = write_table(device, bar, entry, kMessageAddress);
    if (done) done = write_table(device, bar, entry + 4, 0);
    if (done) done = write_table(device, bar, entry + 8, first_vector + i);
    if (done) done = write_table(device, bar, entry + 12, 0);
  }
  return done;
}

machine::Vcpu* vcpu_of(machine::Machine& machine, const vm::VirtualMachine& vm, machine::Process& process) {
  auto* kvm = const_cast<vm::VirtualMachine&>(vm).kvm();
  if (kvm == nullptr || !kvm->is_open()) return nullptr;
  machine::KvmVm* found = find_vm(machine.impl(), machine::Truth(machine).description_of(process, kvm->vm_fd()));
  return found != nullptr ? find_vcpu(*found, 0) : nullptr;
}

}  // namespace

Expected<void> GuestVcpus::pause() {
  if (running()) runs_.back().to = machine_.calls();
  return {};
}

Expected<void> GuestVcpus::resume() {
  if (!running()) runs_.push_back({.from = machine_.calls()});
  return {};
}

std::uint64_t GuestVcpus::last_stop() const {
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (run->to != kStillRunning) return run->to;
  }
  return kStillRunning;
}

Guest::Guest(machine::Machine& machine, const Shape& shape) : machine_(machine), shape_(shape) {
  std::uint8_t next = kFirstVector;
  for (std::uint32_t i = 0; i < shape.devices.size(); ++i) {
    for (std::uint32_t vector = 0; vector < shape.devices[i].vectors; ++vector)
      lines_.push_back({.device = i, .vector = vector, .kind = shape.devices[i].kind, .cpu_vector = next++});
  }
}

Expected<void> Guest::boot(vm::VirtualMachine& vm, machine::Process& process) {
  if (auto done = boot_controllers(vm, process); !done) return done;
  std::size_t line = 0;
  for (std::uint32_t i = 0; i < shape_.devices.size(); ++i) {
    auto* device = vm.device(vm.config().devices[i].device.name);
    if (device == nullptr) return refuse(ErrorCode::missing_key, {"device ", Decimal(i)});
    if (auto done = boot_device(*device, shape_.devices[i], line, i); !done) return done;
    line += shape_.devices[i].vectors;
  }
  return {};
}

Expected<void> Guest::boot_controllers(vm::VirtualMachine& vm, machine::Process& process) {
  if (vm.kvm() == nullptr) return {};
  os::Kernel& kernel = process.kernel();
  abi::kvm_lapic_state apic{};
  if (!kernel.ioctl(vm.kvm()->vcpu_fd(0), abi::request::kvm_get_lapic, &apic))
    return refuse(ErrorCode::os_error, {"KVM_GET_LAPIC"});
  const std::uint32_t enabled = 0x1ff;
  std::memcpy(apic.regs + 0xf0, &enabled, sizeof enabled);
  if (!kernel.ioctl(vm.kvm()->vcpu_fd(0), abi::request::kvm_set_lapic, &apic))
    return refuse(ErrorCode::os_error, {"KVM_SET_LAPIC"});
  abi::kvm_irqchip chip{};
  chip.chip_id = abi::kvm_irqchip_ioapic;
  if (!kernel.ioctl(vm.kvm()->vm_fd(), abi::request::kvm_get_irqchip, &chip))
    return refuse(ErrorCode::os_error, {"KVM_GET_IRQCHIP"});
  for (const Line& line : lines_) {
    if (line.kind == Interrupt::intx) chip.chip.ioapic.redirtbl[kFirstPin + line.device] = line.cpu_vector | kLevel;
  }
  if (!kernel.ioctl(vm.kvm()->vm_fd(), abi::request::kvm_set_irqchip, &chip))
    return refuse(ErrorCode::os_error, {"KVM_SET_IRQCHIP"});
  return {};
}

Expected<void> Guest::boot_device(vfio::PciDevice& device, const DeviceShape& shape, std::size_t first_line,
                                  std::uint32_t number) {
  for (std::uint32_t bar = 0; bar < 6; ++bar) {
    const std::uint64_t address = kFirstBar + (number * 6 + bar) * kBarStride;
    if (device.device().region(bar).size == 0) continue;
    if (auto done = device.write_config(kBar0 + bar * 4, static_cast<std::uint32_t>(address), 4); !done) return done;
  }
  if (auto done = device.write_config(kCommand, kMemoryAndMaster, 2); !done) return done;
  const std::uint8_t vector = lines_[first_line].cpu_vector;
  Expected<void> done;
  if (shape.kind == Interrupt::intx) done = device.set_intx_route({.enabled = true, .gsi = kFirstPin + number});
  if (shape.kind == Interrupt::msi) done = enable_msi(device, vector);
  if (shape.kind == Interrupt::msix) done = enable_msix(device, vector, shape.vectors);
  if (done) machine::start_driver(machine_, number);
  return done;
}

void Guest::raise(std::size_t line) {
  Line& it = lines_[line];
  ++it.raised;
  it.handled_since_raise = 0;
  machine::raise_interrupt(machine_, it.device, it.vector);
}

int Guest::next_interrupt(vm::VirtualMachine& vm, machine::Process& process) {
  if (machine::Vcpu* vcpu = vcpu_of(machine_, vm, process); vcpu != nullptr) return take_interrupt(*vcpu);
  for (const Line& line : lines_) {
    if (line.kind == Interrupt::intx && gsis_up_.contains(kFirstPin + line.device)) return line.cpu_vector;
  }
  if (requested_.empty()) return -1;
  const int vector = *requested_.begin();
  requested_.erase(requested_.begin());
  return vector;
}

void Guest::handle(vm::VirtualMachine& vm, Line& line) {
  ++line.handled;
  ++line.handled_since_raise;
  machine::acknowledge_interrupts(machine_, line.device);
  // A driver reads its device, which a VMM that delivers the pin by hand sees.
  auto* device = vm.device(vm.config().devices[line.device].device.name);
  std::array<std::byte, 4> status{};
  if (line.kind == Interrupt::intx && device != nullptr) (void)device->read_bar(0, 0, status);
}

bool Guest::run(vm::VirtualMachine& vm, machine::Process& process, const GuestVcpus& vcpus) {
  bool did = false;
  while (process.alive() && vcpus.running()) {
    const int vector = next_interrupt(vm, process);
    if (vector < 0) break;
    did = true;
    for (Line& line : lines_) {
      if (line.cpu_vector == vector) handle(vm, line);
    }
    if (machine::Vcpu* vcpu = vcpu_of(machine_, vm, process); vcpu != nullptr) end_interrupt(*vcpu);
  }
  return did;
}

Expected<void> Guest::send_message(const kvm::MsiMessage& message) {
  requested_.insert(static_cast<std::uint8_t>(message.data));
  return {};
}

Expected<void> Guest::set_line(std::uint32_t gsi, bool up) {
  if (up) {
    gsis_up_.insert(gsi);
  } else {
    gsis_up_.erase(gsi);
  }
  return {};
}

}  // namespace vcpr::whole_vm
