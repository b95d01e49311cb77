// Which GSI means what: pins of the interrupt controllers below, messages above.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kvm/message.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/os/error.hpp"

namespace vcpr::kvm {

/// Entries of KVM's table, those of pins included (KVM_MAX_IRQ_ROUTES of Linux).
inline constexpr std::uint32_t kMaxRoutes = 4096;
/// Pins of the IOAPIC; the first sixteen are the PICs' too (kvm_setup_default_irq_routing).
inline constexpr std::uint32_t kPins = 24;
inline constexpr std::uint32_t kIsaPins = 16;
inline constexpr std::uint32_t kPinRoutes = kPins + kIsaPins;
inline constexpr std::uint32_t kMaxMessageRoutes = kMaxRoutes - kPinRoutes;

class Routes {
 public:
  /// The lowest free GSI from kPins on; too_long when kMaxMessageRoutes are in use.
  Expected<std::uint32_t> add(const MsiMessage& message);
  /// `gsi` must have come from add() and not gone since.
  void change(std::uint32_t gsi, const MsiMessage& message);
  /// As change().
  void remove(std::uint32_t gsi);
  /// kvm_irq_routing with its entries, by GSI, ready for KVM_SET_GSI_ROUTING.
  std::vector<std::byte> encode() const;
  /// Whether the table differs from the one committed last; KVM_CREATE_IRQCHIP commits the pins.
  bool is_changed() const { return changed_; }
  void committed() { changed_ = false; }
  std::size_t messages() const { return messages_in_use_; }

 private:
  struct Slot {
    MsiMessage message;
    bool used = false;
  };

  Slot& slot_of(std::uint32_t gsi);

  std::vector<Slot> slots_;          ///< of GSI kPins and up
  std::vector<std::uint32_t> free_;  ///< a heap, lowest first
  std::size_t messages_in_use_ = 0;
  bool changed_ = false;
};

}  // namespace vcpr::kvm
