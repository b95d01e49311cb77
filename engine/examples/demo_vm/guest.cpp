#include "engine/examples/demo_vm/guest.hpp"

#include <array>
#include <cstring>

// Absolute symbols are guest physical addresses; code is position dependent at `base`.
asm(R"(
  .pushsection .rodata
  .balign 16
  .globl vcpr_demo_guest_begin, vcpr_demo_guest_end
vcpr_demo_guest_begin:
  .set demo_base, 0x10000
  .set demo_gdt, 0x1000
  .set demo_idt, 0x2000
  .set demo_stack, 0x7000
  .set demo_counters, 0x8000
  .set demo_acks, 0x8400
  .set demo_pins, 0x9000
  .set demo_heartbeat, 0x9100
  .set demo_stamp, 0x9108
  .set demo_gap, 0x9110
  .set demo_sleeps, 0x9118
  .set demo_fault, 0x9120
  .set demo_end, 0x20000
  .set lapic, 0xfee00000
  .set ioapic, 0xfec00000
  .long demo_base, demo_end
  .long demo_base + (demo_entry - vcpr_demo_guest_begin)
  .long demo_base + (demo_vectors - vcpr_demo_guest_begin)
  .long demo_gdt, demo_idt, demo_stack, demo_counters, demo_acks, demo_pins
  .long demo_heartbeat, demo_stamp, demo_gap, demo_sleeps, demo_fault

  .code32
demo_entry:
  movl $0x1ff, lapic + 0xf0           # on, spurious vector 255
  movl $0, lapic + 0x80               # every priority
  xorl %ecx, %ecx
demo_next_pin:
  movl demo_pins(,%ecx,4), %eax
  testl %eax, %eax
  jz demo_pin_done
  leal 0x11(,%ecx,2), %edx
  movl %edx, ioapic
  movl $0, ioapic + 0x10              # to APIC 0
  decl %edx
  movl %edx, ioapic
  movl %eax, ioapic + 0x10
demo_pin_done:
  incl %ecx
  cmpl $24, %ecx
  jb demo_next_pin
  movl $0xb, lapic + 0x3e0            # timer: undivided, periodic, 10,000,000 ns
  movl $0x20030, lapic + 0x320
  movl $10000000, lapic + 0x380
  rdtsc
  movl %eax, demo_stamp
  movl %edx, demo_stamp + 4
  sti
demo_beat:
  rdtsc
  movl %eax, %ecx
  movl %edx, %ebx
  subl demo_stamp, %ecx
  sbbl demo_stamp + 4, %ebx
  movl %eax, demo_stamp
  movl %edx, demo_stamp + 4
  addl $1, demo_heartbeat
  adcl $0, demo_heartbeat + 4
  cmpl demo_gap + 4, %ebx
  ja demo_longer
  jb demo_rest
  cmpl demo_gap, %ecx
  jbe demo_rest
demo_longer:
  movl %ecx, demo_gap
  movl %ebx, demo_gap + 4
demo_rest:
  cmpl $0, demo_sleeps
  jne demo_sleep
  pause
  jmp demo_beat
demo_sleep:
  hlt
  jmp demo_beat

demo_interrupt:
  pushl %eax
  pushl %ecx
  pushl %edx
  movl 12(%esp), %eax
  cmpl $32, %eax
  jb demo_exception
  movl demo_acks(,%eax,8), %ecx
  testl %ecx, %ecx
  jz demo_count
  movl (%ecx), %edx
  movl demo_acks + 4(,%eax,8), %ecx
  testl %ecx, %ecx
  jz demo_count
  movl %edx, (%ecx)
demo_count:
  incl demo_counters(,%eax,4)
  cmpl $255, %eax
  je demo_return
  movl $0, lapic + 0xb0               # end of interrupt
demo_return:                          # as iret does, which some KVMs do not emulate outside real mode
  movl 16(%esp), %ecx                 # eip goes where the flags were,
  movl 24(%esp), %edx
  movl %ecx, 24(%esp)
  andl $~0x200, %edx                  # the flags, interrupts still off, below it
  movl %edx, 20(%esp)
  popl %edx
  popl %ecx
  popl %eax
  addl $8, %esp
  popfl
  sti                                 # takes effect after the ret
  ret
demo_exception:
  incl %eax
  movl 16(%esp), %edx
  movl %edx, demo_fault + 4
  movl %eax, demo_fault
demo_dead:
  cli
  hlt
  jmp demo_dead

  .balign 16
demo_vectors:
  .set demo_vector, 0
  .rept 256
  .balign 16
  pushl $demo_vector
  jmp demo_interrupt
  .set demo_vector, demo_vector + 1
  .endr
  .balign 16
vcpr_demo_guest_end:
  .code64
  .popsection
)");

extern "C" const std::byte vcpr_demo_guest_begin[];
extern "C" const std::byte vcpr_demo_guest_end[];

namespace vcpr::demo {

namespace {

constexpr std::uint32_t kVectors = 256;
constexpr std::uint32_t kHandlerBytes = 16;
constexpr std::uint64_t kFlatCode = 0x00cf'9b00'0000'ffff;
constexpr std::uint64_t kFlatData = 0x00cf'9300'0000'ffff;
constexpr std::uint64_t kInterruptGate = 0x8e00'0008'0000;  // present, 32-bit, selector 8

void store(std::span<std::byte> memory, std::uint32_t address, const void* value, std::size_t bytes) {
  std::memcpy(memory.subspan(address, bytes).data(), value, bytes);
}

}  // namespace

std::span<const std::byte> guest_image() {
  return {static_cast<const std::byte*>(vcpr_demo_guest_begin), static_cast<const std::byte*>(vcpr_demo_guest_end)};
}

GuestMap guest_map() {
  GuestMap map;
  std::memcpy(&map, guest_image().data(), sizeof map);
  return map;
}

void load_guest(std::span<std::byte> memory) {
  const GuestMap map = guest_map();
  const std::array<std::uint64_t, 3> gdt{0, kFlatCode, kFlatData};
  store(memory, map.gdt, gdt.data(), sizeof gdt);
  for (std::uint32_t vector = 0; vector < kVectors; ++vector) {
    const std::uint64_t handler = map.vectors + std::uint64_t{vector} * kHandlerBytes;
    const std::uint64_t gate = kInterruptGate | (handler & 0xffff) | (handler >> 16) << 48;
    store(memory, map.idt + vector * 8, &gate, sizeof gate);
  }
  store(memory, map.base, guest_image().data(), guest_image().size());
}

}  // namespace vcpr::demo
