#include "properties/machine/vfio/interrupts.hpp"

#include <utility>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

namespace abi = os::abi;

Interrupts::Interrupts(VfioDevice& of)
    : unmask(of),
      has_vector(of.machine.arena.make_array<bool>(of.function.model.messages())),
      vectors(of.machine.arena.make_array<Description*>(of.function.model.messages())) {}

std::uint32_t irq_count(const VfioDevice& device, std::uint32_t index) {
  const PciModel& model = device.function.model;
  switch (index) {
    case abi::vfio_pci_intx_irq_index:
    case abi::vfio_pci_req_irq_index:
      return 1;
    case abi::vfio_pci_msi_irq_index:
      return model.msi != 0 ? 1 : 0;
    case abi::vfio_pci_msix_irq_index:
      return model.msix_vectors;
    case abi::vfio_pci_err_irq_index:
      return model.express != 0 ? 1 : 0;
    default:
      return 0;
  }
}

void signal_intx(VfioDevice& device) {
  const Interrupts& irqs = device.interrupts;
  if (irqs.mode != IrqMode::intx || irqs.intx_disabled || irqs.intx == nullptr) return;
  signal_eventfd(device.machine, *irqs.intx);
}

namespace {

/// The level stays whether or not somebody listens.
void deliver_line(VfioDevice& device) {
  const Interrupts& irqs = device.interrupts;
  const bool heard = !irqs.intx_disabled && irqs.intx != nullptr;
  record_line(device.function, heard ? InterruptStage::signalled : InterruptStage::pending,
              heard ? irqs.intx : nullptr);
  signal_intx(device);
}

}  // namespace

void intx_interrupt(VfioDevice& device) {
  device.function.line_disabled = true;
  device.interrupts.intx_masked = true;
  deliver_line(device);
}

void intx_mask(VfioDevice& device) {
  Interrupts& irqs = device.interrupts;
  if (irqs.mode == IrqMode::intx && irqs.intx_masked) return;
  device.function.line_disabled = true;
  if (irqs.mode == IrqMode::intx) irqs.intx_masked = true;
}

bool unmask_line(VfioDevice& device) {
  Interrupts& irqs = device.interrupts;
  if (irqs.mode != IrqMode::intx) {
    device.function.line_disabled = false;
    return false;
  }
  if (!irqs.intx_masked || irqs.intx_disabled) return false;
  if (device.function.line) return true;  // pci_check_and_unmask_intx: still asserting, stays masked
  device.function.line_disabled = false;
  irqs.intx_masked = false;
  return false;
}

void intx_unmask(VfioDevice& device) {
  if (unmask_line(device)) deliver_line(device);
}

void UnmaskEvent::signalled(Machine::Impl& machine, Description& from) {
  take_counter(machine, from);
  // A trigger that is its own unmask eventfd, with the line up, keeps Linux's workers busy for ever: here it is one
  // turn.
  if (std::exchange(is_unmasking_, true)) return;
  intx_unmask(device_);
  is_unmasking_ = false;
}

void UnmaskEvent::hung_up(Machine::Impl&, Description&) {
  eventfd = nullptr;
}

void drop_unmask_event(VfioDevice& device) {
  UnmaskEvent& unmask = device.interrupts.unmask;
  Description* old = std::exchange(unmask.eventfd, nullptr);
  if (old == nullptr) return;
  remove_waiter(*old, unmask);
  take_counter(device.machine, *old);
}

void disable_interrupts(VfioDevice& device) {
  Interrupts& irqs = device.interrupts;
  if (irqs.mode == IrqMode::intx) {
    drop_unmask_event(device);
    irqs.intx = nullptr;
    irqs.intx_masked = false;
  }
  if (irqs.mode == IrqMode::msi || irqs.mode == IrqMode::msix) {
    for (std::uint32_t vector = 0; vector < device.function.model.messages(); ++vector) {
      irqs.vectors[vector] = nullptr;
      if (std::exchange(irqs.has_vector[vector], false)) --device.machine.vectors_in_use;
    }
    drop_held_message(device.function);
    irqs.msi_requested = false;
    device.function.line_disabled = false;  // pci_intx_for_msi
  }
  irqs.mode = IrqMode::none;
}

}  // namespace vcpr::machine
