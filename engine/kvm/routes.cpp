#include "engine/kvm/routes.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <functional>

namespace vcpr::kvm {

namespace abi = os::abi;

namespace {

constexpr std::uint32_t kPicPins = 8;  // of one of the two

/// Writes kvm_irq_routing_entry after kvm_irq_routing_entry.
class EntryWriter {
 public:
  explicit EntryWriter(std::byte* place) : place_(place) {}

  void pin(std::uint32_t gsi, std::uint32_t chip, std::uint32_t pin) {
    abi::kvm_irq_routing_entry entry{};
    entry.gsi = gsi;
    entry.type = abi::kvm_irq_routing_irqchip_id;
    entry.u.irqchip = {.irqchip = chip, .pin = pin};
    write(entry);
  }
  void message(std::uint32_t gsi, const MsiMessage& message) {
    abi::kvm_irq_routing_entry entry{};
    entry.gsi = gsi;
    entry.type = abi::kvm_irq_routing_msi_id;
    entry.u.msi = {};
    entry.u.msi.address_lo = static_cast<std::uint32_t>(message.address);
    entry.u.msi.address_hi = static_cast<std::uint32_t>(message.address >> 32);
    entry.u.msi.data = message.data;
    write(entry);
  }

 private:
  void write(const abi::kvm_irq_routing_entry& entry) {
    std::memcpy(place_, &entry, sizeof entry);
    place_ += sizeof entry;
  }

  std::byte* place_;
};

/// As KVM_CREATE_IRQCHIP leaves them: GSI N is pin N of the IOAPIC, and of the PICs.
void write_pins(EntryWriter& out) {
  for (std::uint32_t gsi = 0; gsi < kPins; ++gsi) {
    out.pin(gsi, abi::kvm_irqchip_ioapic, gsi);
    if (gsi >= kIsaPins) continue;
    out.pin(gsi, gsi < kPicPins ? abi::kvm_irqchip_pic_master : abi::kvm_irqchip_pic_slave, gsi % kPicPins);
  }
}

}  // namespace

Routes::Slot& Routes::slot_of(std::uint32_t gsi) {
  assert(gsi >= kPins && gsi - kPins < slots_.size() && slots_[gsi - kPins].used);
  return slots_[gsi - kPins];
}

Expected<std::uint32_t> Routes::add(const MsiMessage& message) {
  if (messages_in_use_ == kMaxMessageRoutes) {
    return refuse(ErrorCode::too_long, {"KVM's routing table: all of ", Decimal(kMaxRoutes), " routes are in use"});
  }
  auto gsi = static_cast<std::uint32_t>(kPins + slots_.size());
  if (free_.empty()) {
    slots_.push_back({message, true});
  } else {
    std::ranges::pop_heap(free_, std::greater{});
    gsi = free_.back();
    free_.pop_back();
    slots_[gsi - kPins] = {message, true};
  }
  ++messages_in_use_;
  changed_ = true;
  return gsi;
}

void Routes::change(std::uint32_t gsi, const MsiMessage& message) {
  Slot& slot = slot_of(gsi);
  if (slot.message == message) return;
  slot.message = message;
  changed_ = true;
}

void Routes::remove(std::uint32_t gsi) {
  slot_of(gsi).used = false;
  free_.push_back(gsi);
  std::ranges::push_heap(free_, std::greater{});
  --messages_in_use_;
  changed_ = true;
}

std::vector<std::byte> Routes::encode() const {
  const abi::kvm_irq_routing header{.nr = static_cast<std::uint32_t>(kPinRoutes + messages_in_use_)};
  std::vector<std::byte> table(sizeof header + header.nr * sizeof(abi::kvm_irq_routing_entry));
  std::memcpy(table.data(), &header, sizeof header);
  EntryWriter out(table.data() + sizeof header);
  write_pins(out);
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].used) out.message(static_cast<std::uint32_t>(kPins + i), slots_[i].message);
  return table;
}

}  // namespace vcpr::kvm
