// A vCPU's local APIC in xAPIC mode (arch/x86/kvm/lapic.c): the registers as KVM_GET_LAPIC lays them out.
#pragma once

#include <cstdint>

#include "engine/os/abi/kvm.hpp"

namespace vcpr::machine {

/// Offsets of registers in the page (APIC_ID and so on of <asm/apicdef.h>); vectors take 8 words, 16 bytes apart.
enum class ApicRegister : std::uint32_t {
  id = 0x20,
  version = 0x30,
  task_priority = 0x80,
  processor_priority = 0xa0,
  logical_destination = 0xd0,
  destination_format = 0xe0,
  spurious = 0xf0,
  in_service = 0x100,
  trigger_mode = 0x180,
  requested = 0x200,
  lvt_timer = 0x320,
  lvt_lint0 = 0x350,
  timer_current_count = 0x390,
};

inline constexpr int kNoVector = -1;

class Lapic {
 public:
  /// As kvm_lapic_reset leaves it: software-disabled.
  explicit Lapic(std::uint32_t vcpu_id);

  std::uint32_t read(ApicRegister which) const { return words_[word_of(which)]; }
  void write(ApicRegister which, std::uint32_t value) { words_[word_of(which)] = value; }
  os::abi::kvm_lapic_state state() const;
  /// kvm_apic_set_state: takes every byte, then restores what the caller may not choose.
  void set_state(const os::abi::kvm_lapic_state& state);

  bool is_software_enabled() const;
  std::uint8_t id() const { return static_cast<std::uint8_t>(read(ApicRegister::id) >> 24); }
  std::uint8_t logical_id() const { return static_cast<std::uint8_t>(read(ApicRegister::logical_destination) >> 24); }
  bool is_flat() const { return read(ApicRegister::destination_format) == ~std::uint32_t{0}; }
  bool has(ApicRegister vectors, std::uint8_t vector) const;
  /// -1 when none is set.
  int highest(ApicRegister vectors) const;

  /// Puts a vector into IRR; false when it was there already.
  bool request(std::uint8_t vector, bool level);
  /// What the CPU takes now, moved from IRR to ISR; -1 when nothing beats the priority (kvm_cpu_get_interrupt).
  int acknowledge();
  /// Ends the highest in service and returns it; -1 when there is none (apic_set_eoi).
  int end_of_interrupt();
  void set_task_priority(std::uint8_t priority);

 private:
  static std::size_t word_of(ApicRegister which) { return static_cast<std::uint32_t>(which) / sizeof(std::uint32_t); }
  static std::size_t word_of(ApicRegister vectors, std::uint8_t vector) {
    return word_of(vectors) + std::size_t{vector / 32u} * 4;
  }
  void set(ApicRegister vectors, std::uint8_t vector, bool value);
  void update_priority();

  std::uint32_t words_[sizeof(os::abi::kvm_lapic_state) / sizeof(std::uint32_t)] = {};
};

}  // namespace vcpr::machine
