// Which GSI means what: pins of the interrupt controllers below, messages above.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kvm/message.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/os/error.hpp"

namespace vcpr::kvm {

/// KVM_MAX_IRQ_ROUTES of Linux.
inline constexpr std::uint32_t kMaxRoutes = 4096;
/// Pins of the IOAPIC; the first sixteen are the PICs' too (kvm_setup_default_irq_routing).
inline constexpr std::uint32_t kPins = 24;

class Routes {
 public:
  Expected<std::uint32_t> add(const MsiMessage& message);  ///< too_long
  void change(std::uint32_t gsi, const MsiMessage& message);
  void remove(std::uint32_t gsi);
  /// kvm_irq_routing with its entries, by GSI, ready for KVM_SET_GSI_ROUTING.
  std::vector<std::byte> encode() const;
  bool is_changed() const { return changed_; }
  void committed() { changed_ = false; }
  std::size_t messages() const { return messages_in_use_; }

 private:
  struct Slot {
    MsiMessage message;
    bool used = false;
  };

  std::vector<Slot> slots_;          ///< of GSI kPins and up
  std::vector<std::uint32_t> free_;  ///< a heap, lowest first
  std::size_t messages_in_use_ = 0;
  bool changed_ = true;
};

}  // namespace vcpr::kvm
