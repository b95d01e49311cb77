// The firmware of a real QEMU's VM: no more than the way from reset into the demo's guest, which lies in RAM already.
#pragma once

#include <cstddef>
#include <vector>

namespace vcpr::live {

/// An image for -bios; ends at 4 GiB. x86 only.
std::vector<std::byte> qemu_rom();

}  // namespace vcpr::live
