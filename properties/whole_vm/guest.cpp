#include "properties/whole_vm/guest.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/os/abi/kvm.hpp"
#include "properties/machine/kvm/guest.hpp"
#include "properties/machine/pci/guest.hpp"
#include "properties/machine/truth.hpp"
#include "properties/whole_vm/driver.hpp"

namespace vcpr::whole_vm {

namespace {

namespace abi = os::abi;

constexpr std::uint8_t kFirstVector = 0x40;
constexpr std::uint32_t kLevel = 1u << 15;
constexpr std::uint32_t kMasked = 1u << 16;
constexpr int kStorm = 1000;                      // interrupts without a pause
constexpr std::uint8_t kFirstRedirection = 0x10;  // of the IOAPIC's registers

machine::Vcpu* vcpu_of(machine::Machine& machine, vm::VirtualMachine& vm, machine::Process& process) {
  auto* kvm = vm.kvm();
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
  for (std::uint32_t i = 0; i < shape_.devices.size(); ++i) {
    if (auto done = enable(vm, i, true); !done) return done;
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

std::size_t Guest::first_line(std::uint32_t device) const {
  return static_cast<std::size_t>(std::ranges::find(lines_, device, &Line::device) - lines_.begin());
}

Expected<void> Guest::enable(vm::VirtualMachine& vm, std::uint32_t device, bool is_new) {
  auto* found = vm.device(host_address(device));
  if (found == nullptr) return refuse(ErrorCode::missing_key, {"device ", Decimal(device)});
  Expected<void> done;
  if (is_new) done = place_device(*found, device);
  if (done) done = turn_on_interrupts(*found, shape_.devices[device], device, lines_[first_line(device)].cpu_vector);
  if (!done) return done;
  machine::start_driver(machine_, device);
  for (Line& line : lines_) {
    if (line.device != device) continue;
    line.is_enabled = true;
    if (line.kind != Interrupt::intx) line.is_masked = false;
  }
  return {};
}

Expected<void> Guest::disable(vm::VirtualMachine& vm, std::uint32_t device) {
  auto* found = vm.device(host_address(device));
  if (found == nullptr) return {};
  forget(device);  // the guest hears of no error
  return turn_off_interrupts(*found, shape_.devices[device]);
}

void Guest::start_over(vm::VirtualMachine& vm) {
  in_service_ = -1;
  requested_.clear();
  gsis_up_.clear();
  for (Line& line : lines_) line.handled_since_raise = line.raised;
  for (std::uint32_t device = 0; device < shape_.devices.size(); ++device) (void)enable(vm, device, true);
}

void Guest::forget(std::uint32_t device) {
  for (Line& line : lines_) {
    if (line.device != device) continue;
    line.is_enabled = false;
    line.handled_since_raise = line.raised;  // what waited is lost with it
  }
}

void Guest::raise(std::size_t line) {
  Line& it = lines_[line];
  if (!it.is_enabled) return;
  ++it.raised;
  it.handled_since_raise = 0;
  machine::raise_interrupt(machine_, it.device, it.vector);
}

int Guest::next_interrupt(vm::VirtualMachine& vm, machine::Process& process) {
  if (machine::Vcpu* vcpu = vcpu_of(machine_, vm, process); vcpu != nullptr) return take_interrupt(*vcpu);
  for (const Line& line : lines_) {
    if (line.kind == Interrupt::intx && !line.is_masked && gsis_up_.contains(kFirstPin + line.device))
      return line.cpu_vector;
  }
  if (requested_.empty()) return -1;
  const int vector = *requested_.begin();
  requested_.erase(requested_.begin());
  return vector;
}

void Guest::handle(Line& line) {
  ++line.handled;
  ++line.handled_since_raise;
  machine::acknowledge_interrupts(machine_, line.device);
  if (line.kind == Interrupt::intx) to_look_at_.insert(line.device);
}

void Guest::take(vm::VirtualMachine& vm, machine::Process& process) {
  if (in_service_ < 0) in_service_ = next_interrupt(vm, process);
}

void Guest::end(vm::VirtualMachine& vm, machine::Process& process) {
  if (in_service_ < 0) return;
  for (Line& line : lines_) {
    if (line.cpu_vector == in_service_) handle(line);
  }
  in_service_ = -1;
  if (machine::Vcpu* vcpu = vcpu_of(machine_, vm, process); vcpu != nullptr) end_interrupt(*vcpu);
}

void Guest::look(vm::VirtualMachine& vm) {
  for (const std::uint32_t number : std::exchange(to_look_at_, {})) {
    if (vm.address_map().ranges().contains(bar_address(number, 0))) continue;  // mapped: no access is trapped
    std::array<std::byte, 4> status{};
    if (auto* device = vm.device(host_address(number)); device != nullptr) (void)device->read_bar(0, 0, status);
  }
}

bool Guest::run(vm::VirtualMachine& vm, machine::Process& process, const GuestVcpus& vcpus) {
  bool did = false;
  for (int left = kStorm; process.alive() && vcpus.running(); --left) {
    if (left == 0) {
      met_a_storm_ = true;
      break;
    }
    look(vm);
    if (holds_ || in_service_ >= 0) break;
    take(vm, process);
    if (in_service_ < 0) break;
    end(vm, process);
    did = true;
  }
  return did;
}

Expected<void> Guest::mask(vm::VirtualMachine& vm, machine::Process& process, std::size_t line, bool masked) {
  Line& it = lines_[line];
  if (!it.is_enabled || it.kind == Interrupt::msi) return {};
  auto* device = vm.device(host_address(it.device));
  if (device == nullptr) return {};
  if (it.kind == Interrupt::msix) {
    if (auto done = mask_msix(*device, it.vector, masked); !done) {
      it.is_masked = true;  // the driver unmasks it once more
      return done;
    }
  } else if (machine::Vcpu* vcpu = vcpu_of(machine_, vm, process); vcpu != nullptr) {
    const auto index = static_cast<std::uint8_t>(kFirstRedirection + 2 * (kFirstPin + it.device));
    write_ioapic(vcpu->vm, index, it.cpu_vector | kLevel | (masked ? kMasked : 0));
  }
  it.is_masked = masked;
  return {};
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
