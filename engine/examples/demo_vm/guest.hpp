// The program the demo's guest runs: 32-bit, flat, one vCPU. It counts interrupts by vector, and its heart beats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vcpr::demo {

/// Where in the guest's memory things lie; the image begins with it. Guest physical addresses.
struct GuestMap {
  std::uint32_t base = 0;      ///< of the image
  std::uint32_t end = 0;       ///< of all that is listed here
  std::uint32_t entry = 0;     ///< first instruction
  std::uint32_t vectors = 0;   ///< handler of vector N at vectors + 16 N
  std::uint32_t gdt = 0;       ///< 3 descriptors: null, code, data
  std::uint32_t idt = 0;       ///< 256 gates
  std::uint32_t stack = 0;     ///< grows down from here
  std::uint32_t counters = 0;  ///< u32 each vector
  std::uint32_t acks = 0;  ///< each vector { u32 read, u32 write }: the register to read, and to write what was read
  std::uint32_t pins = 0;  ///< u32 each IOAPIC pin: low word of its entry, 0: leave it
  std::uint32_t heartbeat = 0;  ///< u64: rounds of the main loop
  std::uint32_t stamp = 0;      ///< u64: TSC of the last round
  std::uint32_t gap = 0;        ///< u64: longest time between two rounds, TSC cycles; the host may zero it
  std::uint32_t sleeps = 0;     ///< u32, the host's to set: 0 the loop spins, 1 it halts between interrupts
  std::uint32_t fault = 0;      ///< { u32 vector + 1, u32 eip or error code } of an exception; 0: none
};

inline constexpr std::uint32_t kFirstDeviceVector = 0x40;
/// The LAPIC timer of the guest: ten milliseconds, so that a halted loop beats.
inline constexpr std::uint32_t kTimerVector = 0x30;

/// The map, then code. x86 only.
std::span<const std::byte> guest_image();
GuestMap guest_map();

/// Puts image, descriptor tables and gates into memory that is zero; `memory` is guest physical 0 and up.
void load_guest(std::span<std::byte> memory);

}  // namespace vcpr::demo
