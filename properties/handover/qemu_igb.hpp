// The igb of a real QEMU's VM, set up as the guest's driver would.
#pragma once

#include <cstdint>

#include "properties/handover/qemu_process.hpp"

namespace vcpr::live {

inline constexpr int kQemuIgbSlot = 5;

/// By QEMU's test protocol: memory decoding on, vector I of `vectors` raises interrupt `first` + I of the guest. False
/// when the device in that slot is another.
bool set_up_qemu_igb(Lines& qtest, std::uint32_t first, std::uint32_t vectors);

}  // namespace vcpr::live
