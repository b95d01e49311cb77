#include "engine/vfio/msi.hpp"

#include "engine/vfio/config_space.hpp"
#include "engine/vfio/pci_device.hpp"
#include "engine/vfio/vector_entries.hpp"

namespace vcpr::vfio {

Msi::Msi(PciDevice& device, std::uint32_t count)
    : MessageInterrupts(device, IrqIndex::msi, count, device.vm().kvm != nullptr && device.options().kvm_msi) {}

kvm::MsiMessage Msi::message(std::uint32_t number) const {
  return function.config().msi_message(number);
}

bool Msi::is_masked(std::uint32_t number) const {
  return function.config().is_msi_masked(number);
}

bool Msi::take_kept(std::uint32_t number) {
  const std::uint32_t bit = 1U << number;
  if ((kept_ & bit) == 0) return false;
  kept_ &= ~bit;
  return true;
}

/// A signal that came to user space just before the guest masked the vector.
void Msi::return_kept() {
  for (std::uint32_t number = 0; number < count(); ++number) {
    if (take_kept(number)) all[number].signal();
  }
}

std::uint32_t Msi::used() const {
  std::uint32_t vectors = 0;
  for (const Vector& each : all) vectors += each.is_used() ? 1U : 0U;
  return vectors;
}

Expected<void> Msi::enable() {
  on = true;
  kept_ = 0;
  enabled_ = function.config().msi_vectors();
  Expected<void> done;
  for (std::uint32_t number = 0; done && number < enabled_; ++number) {
    done = all[number].open(message(number), by_kvm);
  }
  if (done) done = commit();
  for (std::uint32_t number = 0; done && number < enabled_; ++number) done = all[number].attach();
  if (done) done = arm(enabled_);
  if (!done) (void)disable();
  return done;
}

/// Masks are the device's, so the trigger stays. With another number of vectors it is another MSI.
Expected<void> Msi::update() {
  if (!on) return {};
  if (function.config().msi_vectors() != enabled_) {
    if (auto off = disable(); !off) return off;
    return enable();
  }
  for (std::uint32_t number = 0; number < enabled_; ++number) {
    Vector& each = all[number];
    if (each.message() != message(number)) each.change_message(message(number));
  }
  auto committed = commit();
  for (std::uint32_t number = 0; number < enabled_; ++number) send_kept(number);
  return committed;
}

Expected<void> Msi::check_loaded(std::uint32_t vectors) const {
  if (auto none = check_no_vector_entries(function, vectors); !none) return none;
  for (std::uint32_t number = 0; number < vectors; ++number) {
    if (auto whole = check_vector_entries(function, number, true, by_kvm); !whole) return whole;
  }
  return {};
}

}  // namespace vcpr::vfio
