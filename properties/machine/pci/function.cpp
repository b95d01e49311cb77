#include "properties/machine/pci/function.hpp"

#include <utility>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/event_waiter.hpp"
#include "properties/machine/pci/config_space.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

namespace abi = os::abi;

namespace {

void record(PciFunction& function, std::uint64_t serial, std::uint32_t index, std::uint32_t vector,
            InterruptStage stage, const Description* eventfd = nullptr) {
  Machine::Impl& machine = function.machine;
  machine.interrupts.append(machine.arena, {machine.current_call, serial, function.device->number, index, vector, stage,
                                            eventfd != nullptr ? eventfd->id : 0});
}

/// The message goes to the host, whose handler signals the trigger. Without one MSI-X is masked by the host and stays
/// pending in the function; MSI has no message any more.
void send_message(PciFunction& function, std::uint32_t vector, std::uint64_t serial) {
  const Interrupts& host = function.device->interrupts;
  const bool extended = host.mode == IrqMode::msix;
  const std::uint32_t index = extended ? abi::vfio_pci_msix_irq_index : abi::vfio_pci_msi_irq_index;
  Description* trigger = host.vectors[vector];
  if (extended && (trigger == nullptr || function.guest_masked[vector])) {
    const bool merges = function.pending[vector] != 0;
    if (!merges) function.pending[vector] = serial;
    return record(function, serial, index, vector, merges ? InterruptStage::merged : InterruptStage::pending);
  }
  if (trigger == nullptr || !function.is_bus_master())
    return record(function, serial, index, vector, InterruptStage::lost);
  record(function, serial, index, vector, InterruptStage::signalled, trigger);
  signal_eventfd(function.machine, *trigger);
}

}  // namespace

PciFunction::PciFunction(Machine::Impl& of, const PciModel& what)
    : machine(of), model(what), config(of.arena.make_array<std::byte>(what.config_bytes())) {
  fill_config(*this);
}

void raise_message(PciFunction& function, std::uint32_t vector) {
  const IrqMode mode = function.device->interrupts.mode;
  const std::uint64_t serial = ++function.machine.interrupts_raised;
  const std::uint32_t index = mode == IrqMode::msix ? abi::vfio_pci_msix_irq_index : abi::vfio_pci_msi_irq_index;
  record(function, serial, index, vector, InterruptStage::raised);
  send_message(function, vector, serial);
}

void record_line(PciFunction& function, InterruptStage stage, const Description* eventfd) {
  record(function, function.line_serial, abi::vfio_pci_intx_irq_index, 0, stage, eventfd);
}

void set_line(PciFunction& function, bool level) {
  if (level == function.line) return;
  function.line = level;
  if (!level) return;
  function.line_serial = ++function.machine.interrupts_raised;
  record_line(function, InterruptStage::raised, nullptr);
  if (function.device->interrupts.mode != IrqMode::intx || function.line_disabled)
    record_line(function, InterruptStage::pending, nullptr);
  flush_interrupts(function);
}

void flush_interrupts(PciFunction& function) {
  VfioDevice& device = *function.device;
  if (device.interrupts.mode == IrqMode::msix)
    for (std::uint32_t vector = 0; vector < function.model.msix_vectors; ++vector) {
      if (function.pending[vector] == 0 || device.interrupts.vectors[vector] == nullptr) continue;
      if (function.guest_masked[vector]) continue;
      send_message(function, vector, std::exchange(function.pending[vector], 0));
    }
  if (device.interrupts.mode == IrqMode::intx && function.line && !function.line_disabled) intx_interrupt(device);
}

void reset_function(PciFunction& function) {
  function.due = kNever;
  for (std::uint32_t vector = 0; vector < kMaxVectors; ++vector)
    if (const std::uint64_t serial = std::exchange(function.pending[vector], 0); serial != 0)
      record(function, serial, abi::vfio_pci_msix_irq_index, vector, InterruptStage::lost);
  function.line = false;
  function.reset_registers();
}

}  // namespace vcpr::machine
