// The interrupts of a PCI device: which kind the guest has on, and how they change hands. ERR and REQ beside them.
#pragma once

#include <optional>

#include "engine/vfio/intx.hpp"
#include "engine/vfio/msi.hpp"
#include "engine/vfio/msix.hpp"
#include "engine/vfio/notifiers.hpp"

namespace vcpr::vfio {

class Interrupts {
 public:
  explicit Interrupts(PciDevice& device);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Fresh: ERR, REQ and, as no message interrupt is on, INTx.
  Expected<void> start();
  /// Incoming: what came of this device is claimed, nothing is touched. missing_key, key_in_use.
  Expected<void> claim();
  /// The guest has written config space: the kind that it now has on gets the device's interrupts, MSI-X before MSI
  /// before INTx. After an error none has them until the next write.
  Expected<void> update();
  /// All off but ERR and REQ. Goes on after errors.
  Expected<void> stop();
  Expected<void> set_route(const IntxRoute& route, bool is_ours) { return intx_.set_route(route, is_ours); }

  Msix* msix() { return msix_ ? &*msix_ : nullptr; }
  Msi* msi() { return msi_ ? &*msi_ : nullptr; }
  Intx& intx() { return intx_; }

  /// bad_state when the guest's registers enable what the host refused. Until its next write nothing delivers, and no
  /// handover is possible: the new side would take the registers at their word.
  Expected<void> check_enabled() const;

  // A handover (lifecycle::Participant)
  /// That of check_enabled.
  Expected<void> let_go();
  Expected<void> take_back();
  /// The section against the table of descriptors: every vector that the guest has enabled came, and no other.
  Expected<void> check_loaded(const vmstate::VfioCprPci& section) const;
  bool hides_bars(const vmstate::VfioCprPci& section) const { return intx_.hides_bars(section.intx); }
  /// What arrived becomes ours: route of the pin, table, vectors. The kernel hears nothing yet.
  Expected<void> adopt(const vmstate::VfioCprPci& section);
  /// The routes of everything adopted so far, of other devices too, as one table; then irqfds and handlers.
  Expected<void> take_over(const vmstate::VfioCprPci& section);
  void give_up();
  void fill(vmstate::VfioCprPci& section) const;

 private:
  enum class Kind : std::uint8_t { none, intx, msi, msix };
  Kind wanted() const;
  std::uint32_t max_vectors() const;
  Expected<void> enable(Kind kind);

  PciDevice& device_;
  std::optional<Msix> msix_;
  std::optional<Msi> msi_;
  Intx intx_;
  std::optional<Notifier> error_;
  std::optional<Notifier> request_;
  Kind kind_ = Kind::none;
};

}  // namespace vcpr::vfio
