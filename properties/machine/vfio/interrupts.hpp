// The interrupts of a VFIO device: which mode is on, who is signalled (drivers/vfio/pci/vfio_pci_intrs.c).
#pragma once

#include <cstdint>

#include "properties/machine/event_waiter.hpp"
#include "properties/machine/pci/model.hpp"

namespace vcpr::machine {

struct VfioDevice;

enum class IrqMode : std::uint8_t { none, intx, msi, msix };

/// The virqfd that unmasks INTx.
class UnmaskEvent final : public EventWaiter {
 public:
  explicit UnmaskEvent(VfioDevice& of) : device_(of) {}
  void signalled(Machine::Impl& machine, Description& eventfd) override;
  void hung_up(Machine::Impl& machine, Description& eventfd) override;
  bool is_exclusive() const override { return false; }

  Description* eventfd = nullptr;  ///< null: off

 private:
  VfioDevice& device_;
  bool is_unmasking_ = false;
};

/// Triggers are contexts of eventfds: they outlive the files and then signal nobody.
struct Interrupts {
  explicit Interrupts(VfioDevice& of);

  IrqMode mode = IrqMode::none;
  Description* intx = nullptr;  ///< trigger; null: none
  bool intx_masked = false;
  bool intx_disabled = false;  ///< the guest's DisINTx
  UnmaskEvent unmask;
  bool msi_requested = false;  ///< MSI has had a trigger since it is on
  std::uint64_t msi_held = 0;  ///< serial of what waits for a trigger, here or behind the function's mask; 0: nothing
  bool* has_vector;            ///< by vector: allocated by the host, until the mode goes
  Description** vectors;       ///< by vector: trigger; null: none
  Description* error = nullptr;
  Description* request = nullptr;
};

/// Vectors of an index; 0: the device lacks it.
std::uint32_t irq_count(const VfioDevice& device, std::uint32_t index);
/// vfio_send_intx_eventfd: nothing while the guest's DisINTx is set or there is no trigger.
void signal_intx(VfioDevice& device);
/// vfio_pci_intx_unmask_handler: true when the line is still up, so that it stays masked and has to be signalled.
bool unmask_line(VfioDevice& device);
/// Takes the virqfd off its eventfd, whose counter goes with it.
void drop_unmask_event(VfioDevice& device);
/// Turns the mode off that is on: triggers and the unmask event go.
void disable_interrupts(VfioDevice& device);
/// The guest's DisINTx has changed to what `intx_disabled` now says.
void intx_mask(VfioDevice& device);
void intx_unmask(VfioDevice& device);
/// The line is up and DisINTx of the hardware clear: the handler of the host.
void intx_interrupt(VfioDevice& device);

}  // namespace vcpr::machine
