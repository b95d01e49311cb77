// A host with devices and VMs that have them, and what a guest does with their interrupts.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "engine/handover/pair_testing.hpp"
#include "engine/vfio/config_space.hpp"
#include "engine/vfio/pci_registers.hpp"
#include "properties/machine/kvm/guest.hpp"
#include "properties/machine/kvm/ioapic.hpp"
#include "properties/machine/pci/guest.hpp"

namespace vcpr::handover {

inline constexpr const char* kIgb = "0000:00:07.0";
inline constexpr const char* kEdu = "0000:00:05.0";
inline constexpr std::uint32_t kIgbNumber = 0;
inline constexpr std::uint32_t kEduNumber = 1;
inline constexpr std::uint32_t kIgbVectors = 3;
/// CPU vectors that the guest chose: of the igb's MSI-X vector n, of the edu's message, of the edu's line.
inline constexpr std::uint8_t kIgbVector = 0x40;
inline constexpr std::uint8_t kEduVector = 0x50;
inline constexpr std::uint8_t kLineVector = 0x90;
inline constexpr std::uint32_t kLineGsi = 21;

/// How a VM is made.
struct Shape {
  bool kvm = true;
  bool cdev = false;
  bool line = false;  ///< the edu uses its line, not its message
};

inline void plug_devices(machine::Machine& machine) {
  machine.plug({machine::DeviceModel::igb, 3, kIgb});
  machine.plug({machine::DeviceModel::edu, 4, kEdu});
}

inline vm::Config config_of(const Shape& shape) {
  vm::Config config;
  config.kvm = shape.kvm;
  config.ram = {{.name = "ram0", .size = 1 << 20, .address = 0}, {.name = "ram1", .size = 4096, .address = 1 << 21}};
  for (auto [name, number] : {std::pair{kIgb, kIgbNumber}, {kEdu, kEduNumber}}) {
    vm::PciConfig device;
    device.device.name = name;
    device.device.group = number + 3;
    if (shape.cdev) {
      device.device.iommufd = "iommufd0";
      device.device.cdev = "/dev/vfio/devices/vfio" + std::to_string(number);
    }
    device.options.path = "0000:00:0" + std::to_string(number + 1) + ".0";
    config.devices.push_back(device);
  }
  return config;
}

/// The guest of the VM of one side: its drivers and its CPU.
class Guest {
 public:
  Guest(machine::Machine& machine, Side& side) : machine_(machine), side_(side) {}

  /// Once in the life of the guest, wherever it goes: drivers set their devices up.
  bool boot(const Shape& shape) {
    if (shape.kvm) {
      vcpu().lapic.write(machine::ApicRegister::spurious, 0x1ff);
      constexpr std::uint32_t kLevel = 1 << 15;
      machine::write_ioapic(inside(), 0x10 + 2 * kLineGsi, kLineVector | kLevel);
    }
    vfio::PciDevice& igb = *side_.vm->device(kIgb);
    vfio::PciDevice& edu = *side_.vm->device(kEdu);
    bool good = enable(igb) && enable(edu);
    std::uint32_t capability = igb.config().msix()->offset;
    good = good && igb.write_config(capability + 2, vfio::pci::kMsixEnable, 2).has_value();
    for (std::uint32_t vector = 0; vector < kIgbVectors; ++vector) good = good && program(igb, vector);
    good = good && (shape.line ? edu.set_intx_route({.enabled = true, .gsi = kLineGsi}).has_value() : message(edu));
    machine::start_driver(machine_, kIgbNumber);
    machine::start_driver(machine_, kEduNumber);
    return good;
  }
  /// Everything that raises one raises it.
  void raise_all() {
    for (std::uint32_t vector = 0; vector < kIgbVectors; ++vector) {
      machine::raise_interrupt(machine_, kIgbNumber, vector);
    }
    machine::raise_interrupt(machine_, kEduNumber);
  }
  /// The CPU vectors that the guest handles until nothing is due.
  std::multiset<int> handle() {
    std::multiset<int> taken;
    for (int turn = 0; turn < 4; ++turn) {
      (void)side_.loop.turn(os::Deadline{side_.kernel->now()});
      if (side_.vm->kvm() == nullptr) {
        for (std::uint32_t data : std::exchange(side_.interrupts.messages, {})) taken.insert(static_cast<int>(data));
        continue;
      }
      for (int vector = 0; (vector = machine::take_interrupt(vcpu())) >= 0;) {
        taken.insert(vector);
        if (vector == kLineVector) machine::acknowledge_interrupts(machine_, kEduNumber);
        (void)machine::end_interrupt(vcpu());
      }
    }
    machine::acknowledge_interrupts(machine_, kIgbNumber);
    machine::acknowledge_interrupts(machine_, kEduNumber);
    return taken;
  }
  static std::set<int> expected(const Shape& shape) {
    std::set<int> all = {shape.line ? kLineVector : kEduVector};
    for (std::uint32_t vector = 0; vector < kIgbVectors; ++vector) all.insert(static_cast<int>(kIgbVector + vector));
    return all;
  }

 private:
  machine::KvmVm& inside() {
    machine::Truth truth(machine_);
    return *machine::find_vm(machine_.impl(), truth.description_of(*side_.process, side_.vm->kvm()->vm_fd()));
  }
  machine::Vcpu& vcpu() { return *machine::find_vcpu(inside(), 0); }
  static bool enable(vfio::PciDevice& device) {
    constexpr std::uint32_t kOn = vfio::pci::kCommandMemory | vfio::pci::kCommandMaster;
    return device.write_config(vfio::pci::kCommand, kOn, 2).has_value();
  }
  static bool program(vfio::PciDevice& device, std::uint32_t vector) {
    const std::array<std::uint32_t, 4> entry = {0xfee00000, 0, kIgbVector + vector, 0};
    const auto& msix = *device.config().msix();
    return device.write_bar(msix.table_bar, msix.table_offset + 16ULL * vector, std::as_bytes(std::span(entry)))
        .has_value();
  }
  static bool message(vfio::PciDevice& device) {
    const auto& msi = *device.config().msi();
    return device.write_config(msi.offset + 4, 0xfee00000, 4) && device.write_config(msi.data(), kEduVector, 2) &&
           device.write_config(msi.offset + 2, vfio::pci::kMsiEnable, 2);
  }

  machine::Machine& machine_;
  Side& side_;
};

}  // namespace vcpr::handover
