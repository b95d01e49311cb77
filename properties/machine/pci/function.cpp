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

void keep(PciFunction& function, std::uint64_t& place, std::uint64_t serial, std::uint32_t index,
          std::uint32_t vector) {
  const bool merges = place != 0;
  if (!merges) place = serial;
  record(function, serial, index, vector, merges ? InterruptStage::merged : InterruptStage::pending);
}

/// The message goes to the host, whose handler signals the trigger. Without one the host masks the vector, and it stays
/// pending in the function. Where MSI cannot be masked, Linux keeps what comes before its first handler and sends it to
/// that (check_irq_resend); free_irq takes the vector back (irq_domain_deactivate_irq), and then it is lost.
void send_message(PciFunction& function, std::uint32_t vector, std::uint64_t serial) {
  Interrupts& host = function.device->interrupts;
  const bool extended = host.mode == IrqMode::msix;
  const std::uint32_t index = extended ? abi::vfio_pci_msix_irq_index : abi::vfio_pci_msi_irq_index;
  Description* trigger = host.vectors[vector];
  if (extended && (trigger == nullptr || function.guest_masked[vector]))
    return keep(function, function.pending[vector], serial, index, vector);
  const bool leaves = function.is_bus_master() && !host.msi_requested;
  if (!extended && trigger == nullptr && (function.model.msi_masks || leaves))
    return keep(function, host.msi_held, serial, index, vector);
  if (trigger == nullptr || !function.is_bus_master())
    return record(function, serial, index, vector, InterruptStage::lost);
  record(function, serial, index, vector, InterruptStage::signalled, trigger);
  signal_eventfd(function.machine, *trigger);
}

}  // namespace

PciFunction::PciFunction(Machine::Impl& of, const PciModel& what)
    : machine(of),
      model(what),
      config(of.arena.make_array<std::byte>(what.config_bytes())),
      pending(of.arena.make_array<std::uint64_t>(what.messages())),
      guest_masked(of.arena.make_array<bool>(what.messages())) {
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

void keep_message(PciFunction& function, std::uint32_t vector) {
  const std::uint64_t serial = ++function.machine.interrupts_raised;
  record(function, serial, abi::vfio_pci_msix_irq_index, vector, InterruptStage::raised);
  keep(function, function.pending[vector], serial, abi::vfio_pci_msix_irq_index, vector);
}

void drop_held_message(PciFunction& function) {
  const std::uint64_t serial = std::exchange(function.device->interrupts.msi_held, 0);
  if (serial != 0) record(function, serial, abi::vfio_pci_msi_irq_index, 0, InterruptStage::lost);
}

namespace {

void flush_msi(PciFunction& function) {
  Interrupts& host = function.device->interrupts;
  if (host.vectors[0] == nullptr || host.msi_held == 0) return;
  send_message(function, 0, std::exchange(host.msi_held, 0));
}

}  // namespace

void flush_interrupts(PciFunction& function) {
  VfioDevice& device = *function.device;
  if (device.interrupts.mode == IrqMode::msi) flush_msi(function);
  if (device.interrupts.mode == IrqMode::msix)
    for (std::uint32_t vector = 0; vector < function.model.msix_vectors; ++vector) {
      if (function.pending[vector] == 0 || device.interrupts.vectors[vector] == nullptr) continue;
      if (function.guest_masked[vector]) continue;
      send_message(function, vector, std::exchange(function.pending[vector], 0));
    }
  if (device.interrupts.mode == IrqMode::intx && function.line && !function.line_disabled) intx_interrupt(device);
}

void reset_function(PciFunction& function) {
  Machine::Impl& machine = function.machine;
  machine.device_changes.append(machine.arena,
                                {machine.current_call, function.device->number, DeviceChangeKind::reset, 0, 0});
  function.due = kNever;
  for (std::uint32_t vector = 0; vector < function.model.messages(); ++vector)
    if (const std::uint64_t serial = std::exchange(function.pending[vector], 0); serial != 0)
      record(function, serial, abi::vfio_pci_msix_irq_index, vector, InterruptStage::lost);
  if (function.model.msi_masks) drop_held_message(function);
  function.line = false;
  function.reset_registers();
}

}  // namespace vcpr::machine
