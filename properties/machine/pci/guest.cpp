#include "properties/machine/pci/guest.hpp"

#include <array>

#include "properties/machine/pci/config_space.hpp"
#include "properties/machine/pci/edu.hpp"
#include "properties/machine/pci/many_vectors.hpp"
#include "properties/machine/pci/network.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

namespace {

PciFunction& function_of(Machine& machine, std::uint32_t device) {
  return find_cdev(machine.impl(), device)->function;
}

void write(PciFunction& function, std::uint64_t offset, std::uint32_t value) {
  function.write_register(0, offset, value, 4);
}

bool is(const PciFunction& function, DeviceModel model) {
  return function.model.device == model_of(model).device;
}

constexpr std::uint32_t kEveryVector = 0x3ff;
constexpr std::uint32_t kLinkChange = 4;  // a cause of the legacy block

}  // namespace

void start_driver(Machine& machine, std::uint32_t device) {
  PciFunction& function = function_of(machine, device);
  constexpr std::array kMemoryAndMaster{std::byte{0x06}};
  (void)write_config(function, kMemoryAndMaster, 4);
  acknowledge_interrupts(machine, device);  // a cause from before would keep the next one silent
  if (is(function, DeviceModel::igb)) {
    const bool extended = function.device->interrupts.mode == IrqMode::msix;
    write(function, Igb::kGpie, extended ? Igb::kMsixMode : 0);
    write(function, Igb::kEiac, kEveryVector);
    write(function, Igb::kEims, kEveryVector);
    write(function, Igb::kIms, kLinkChange);
  } else if (is(function, DeviceModel::nic)) {
    write(function, Nic::kIms, kLinkChange | 0x1f << Nic::kFirstVectorCause);
  }
}

void raise_interrupt(Machine& machine, std::uint32_t device, std::uint32_t vector) {
  PciFunction& function = function_of(machine, device);
  const bool extended = function.device->interrupts.mode == IrqMode::msix;
  if (is(function, DeviceModel::igb))
    extended ? write(function, Igb::kEics, std::uint32_t{1} << vector) : write(function, Igb::kIcs, kLinkChange);
  else if (is(function, DeviceModel::nic))
    write(function, Nic::kIcs, extended ? std::uint32_t{1} << (Nic::kFirstVectorCause + vector) : kLinkChange);
  else if (is(function, DeviceModel::many_vectors))
    write(function, ManyVectors::kDoorbell, vector);
  else
    write(function, Edu::kRaise, 1);
}

void acknowledge_interrupts(Machine& machine, std::uint32_t device) {
  PciFunction& function = function_of(machine, device);
  if (is(function, DeviceModel::igb))
    (void)function.read_register(0, Igb::kIcr, 4);
  else if (is(function, DeviceModel::nic))
    (void)function.read_register(0, Nic::kIcr, 4);
  else
    write(function, Edu::kAcknowledge, ~std::uint32_t{0});
}

void mask_vector(Machine& machine, std::uint32_t device, std::uint32_t vector, bool masked) {
  PciFunction& function = function_of(machine, device);
  if (vector >= function.model.msix_vectors) return;
  function.guest_masked[vector] = masked;
  flush_interrupts(function);
}

bool start_dma(Machine& machine, std::uint32_t device, std::uint64_t iova, std::uint32_t bytes) {
  PciFunction& function = function_of(machine, device);
  if (!is(function, DeviceModel::edu) || function.due != kNever) return false;
  const auto write_long = [&](std::uint64_t offset, std::uint64_t value) {
    function.write_register(0, offset, value, 8);
  };
  write_long(Edu::kSource, Edu::kBuffer);
  write_long(Edu::kDestination, iova);
  write_long(Edu::kCount, bytes);
  write_long(Edu::kDmaCommand, Edu::kRun | Edu::kFromDevice);
  return true;
}

bool complete_dma(Machine& machine, std::uint32_t device) {
  PciFunction& function = function_of(machine, device);
  if (function.due == kNever) return false;
  function.due = kNever;
  function.timer();
  return true;
}

}  // namespace vcpr::machine
