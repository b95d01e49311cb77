// MSI: all vectors at once. Masks and pending bits are the device's.
#pragma once

#include "engine/vfio/message_interrupts.hpp"

namespace vcpr::vfio {

class Msi final : public MessageInterrupts {
 public:
  Msi(PciDevice& device, std::uint32_t count);

  Expected<void> enable() override;
  /// The guest has written messages, masks or the number of vectors.
  Expected<void> update();

  /// Whether so many vectors came, and no more: missing_key, bad_value.
  Expected<void> check_loaded(std::uint32_t vectors) const;

 protected:
  kvm::MsiMessage message(std::uint32_t number) const override;
  bool is_masked(std::uint32_t number) const override;
  std::int32_t wanted_trigger(std::uint32_t number) const override { return all[number].trigger(false); }
  void keep(std::uint32_t number) override { kept_ |= 1U << number; }
  bool take_kept(std::uint32_t number) override;
  void return_kept() override;
  void adopted() override { enabled_ = used(); }

 private:
  std::uint32_t used() const;

  std::uint32_t enabled_ = 0;  ///< vectors
  std::uint32_t kept_ = 0;     ///< a bit for each vector
};

}  // namespace vcpr::vfio
