#include "properties/handover/qemu_rom.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "engine/examples/demo_vm/guest.hpp"

// The last 128 bytes below 4 GiB. Reset enters at 0xfffffff0 in real mode, whose segment begins 64 KiB below 4 GiB.
asm(R"(
  .pushsection .rodata
  .globl vcpr_rom_tail_begin, vcpr_rom_tail_end
vcpr_rom_tail_begin:
  .set rom_flat_base, 0xffffff80
  .set rom_real_base, 0xff80
rom_gdt:
  .word 0
  .long 0
rom_idt:
  .word 0
  .long 0
rom_stack:
  .long 0
rom_entry:
  .long 0
  .code16
rom_begin:
  lgdtl %cs:(rom_real_base + (rom_gdt - vcpr_rom_tail_begin))
  lidtl %cs:(rom_real_base + (rom_idt - vcpr_rom_tail_begin))
  movw $1, %ax
  lmsw %ax
  ljmpl $8, $(rom_flat_base + (rom_flat - vcpr_rom_tail_begin))
  .code32
rom_flat:
  movl $16, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl rom_flat_base + (rom_stack - vcpr_rom_tail_begin), %esp
  jmp *(rom_flat_base + (rom_entry - vcpr_rom_tail_begin))
  .org vcpr_rom_tail_begin + 0x70
  .code16
  jmp rom_begin
  .org vcpr_rom_tail_begin + 0x80
vcpr_rom_tail_end:
  .code64
  .popsection
)");

extern "C" const std::byte vcpr_rom_tail_begin[];
extern "C" const std::byte vcpr_rom_tail_end[];

namespace vcpr::live {

namespace {

constexpr std::size_t kRomBytes = 0x10000;  // the least that QEMU takes

/// As the tail begins.
struct [[gnu::packed]] Start {
  std::uint16_t gdt_limit;
  std::uint32_t gdt;
  std::uint16_t idt_limit;
  std::uint32_t idt;
  std::uint32_t stack;
  std::uint32_t entry;
};

}  // namespace

std::vector<std::byte> qemu_rom() {
  const std::span<const std::byte> tail(vcpr_rom_tail_begin, vcpr_rom_tail_end);
  std::vector<std::byte> rom(kRomBytes);
  std::byte* const at = rom.data() + rom.size() - tail.size();
  std::ranges::copy(tail, at);
  const demo::GuestMap map = demo::guest_map();
  const Start start{.gdt_limit = 3 * 8 - 1,
                    .gdt = map.gdt,
                    .idt_limit = 256 * 8 - 1,
                    .idt = map.idt,
                    .stack = map.stack,
                    .entry = map.entry};
  std::memcpy(at, &start, sizeof start);
  return rom;
}

}  // namespace vcpr::live
