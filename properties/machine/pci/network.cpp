#include "properties/machine/pci/network.hpp"

#include <utility>

#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

namespace {

constexpr std::uint32_t kVectorCauses = 0x3ff;        // E1000_EICR_MSIX_MASK, as far as there are vectors
constexpr std::uint32_t kLegacyCauses = 0xc0ff'ffff;  // E1000_EICR_LEGACY_MASK

}  // namespace

std::uint64_t NetworkController::read_register(std::uint32_t bar, std::uint64_t offset, std::uint32_t bytes) {
  if (bar != 0 || bytes != 4) return 0;
  if (offset == legacy().causes) {
    const std::uint32_t seen = std::exchange(causes_, 0);
    update_line();
    return seen;
  }
  if (offset == legacy().set) return causes_;
  if (offset == legacy().mask) return mask_;
  return read_extended(offset);
}

void NetworkController::write_register(std::uint32_t bar, std::uint64_t offset, std::uint64_t value,
                                       std::uint32_t bytes) {
  if (bar != 0 || bytes != 4) return;
  const auto word = static_cast<std::uint32_t>(value);
  if (offset == legacy().set) return raise(causes_ | word, mask_);
  if (offset == legacy().mask) return raise(causes_, mask_ | word);
  if (offset == legacy().causes) {
    causes_ &= ~word;
  } else if (offset == legacy().clear_mask) {
    mask_ &= ~word;
  } else {
    write_extended(offset, word);
    return;
  }
  update_line();
}

/// A cause counts when it becomes enabled, not while it stays so.
void NetworkController::raise(std::uint32_t causes, std::uint32_t mask) {
  const std::uint32_t before = causes_ & mask_;
  causes_ = causes;
  mask_ = mask;
  if (const std::uint32_t raised = causes_ & mask_ & ~before; raised != 0) notify(raised);
}

void NetworkController::update_line() {
  if ((causes_ & mask_) == 0) set_line(*this, false);
}

void NetworkController::reset_registers() {
  causes_ = mask_ = 0;
  reset_extended();
}

const NetworkController::Legacy& Igb::legacy() const {
  static constexpr Legacy kLegacy{kIcr, kIcs, kIms, kImc};
  return kLegacy;
}

std::uint32_t Igb::read_extended(std::uint64_t offset) {
  switch (offset) {
    case kGpie:
      return general_;
    case kEicr:
    case kEics:
      return extended_;
    case kEims:
    case kEimc:
      return extended_mask_;
    case kEiac:
      return auto_clear_;
    default:
      return 0;
  }
}

bool Igb::write_extended(std::uint64_t offset, std::uint32_t value) {
  const std::uint32_t bits = value & ((general_ & kMsixMode) != 0 ? kVectorCauses : kLegacyCauses);
  switch (offset) {
    case kGpie:
      general_ = value;
      return true;
    case kEicr:
      extended_ &= ~bits;
      return true;
    case kEics:
      raise_extended(extended_, bits);
      return true;
    case kEims:
      raise_extended(extended_mask_, bits);
      return true;
    case kEimc:
      extended_mask_ &= ~bits;
      return true;
    case kEiac:
      if ((general_ & kMsixMode) != 0) auto_clear_ |= bits;
      return true;
    default:
      return false;
  }
}

void Igb::raise_extended(std::uint32_t& changed, std::uint32_t bits) {
  const std::uint32_t before = extended_ & extended_mask_;
  changed |= bits;
  if ((general_ & kMsixMode) == 0) return;
  const std::uint32_t raised = extended_ & extended_mask_ & ~before;
  for (std::uint32_t vector = 0; vector < model.msix_vectors; ++vector) {
    const std::uint32_t bit = std::uint32_t{1} << vector;
    if ((raised & bit) == 0) continue;
    extended_ &= ~(auto_clear_ & bit);
    device->interrupts.mode == IrqMode::msix ? raise_message(*this, vector) : keep_message(*this, vector);
  }
}

void Igb::notify(std::uint32_t) {
  if ((general_ & kMsixMode) != 0) return;  // only through IVAR_MISC, which nobody sets here
  if (device->interrupts.mode == IrqMode::msix || device->interrupts.mode == IrqMode::msi)
    raise_message(*this, 0);
  else
    set_line(*this, true);
}

void Igb::reset_extended() {
  general_ = extended_ = extended_mask_ = auto_clear_ = 0;
}

const NetworkController::Legacy& Nic::legacy() const {
  static constexpr Legacy kLegacy{kIcr, kIcs, kIms, kImc};
  return kLegacy;
}

void Nic::notify(std::uint32_t raised) {
  const IrqMode mode = device->interrupts.mode;
  if (mode == IrqMode::msix) {
    for (std::uint32_t vector = 0; vector < model.msix_vectors; ++vector)
      if ((raised >> (kFirstVectorCause + vector) & 1) != 0) raise_message(*this, vector);
  } else if (mode == IrqMode::msi) {
    raise_message(*this, 0);
  } else {
    set_line(*this, true);
  }
}

}  // namespace vcpr::machine
