#include "properties/machine/kvm/lapic.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace vcpr::machine {

namespace {

constexpr std::uint32_t kVersion = 0x50014;  // 6 entries in the LVT, version 0x14
constexpr std::uint32_t kEnabled = 1u << 8;  // of the spurious vector register
constexpr std::uint32_t kMasked = 1u << 16;
constexpr std::uint32_t kExtInt = 7u << 8;
constexpr std::uint32_t kSpuriousAtReset = 0xff;
constexpr std::uint32_t kLvtEntries = 6;
constexpr std::uint32_t kEntryBytes = 0x10;
constexpr int kVectorWords = 8;
constexpr std::uint32_t kClass = 0xf0;  // of a priority

ApicRegister lvt(std::uint32_t entry) {
  return static_cast<ApicRegister>(static_cast<std::uint32_t>(ApicRegister::lvt_timer) + entry * kEntryBytes);
}

}  // namespace

Lapic::Lapic(std::uint32_t vcpu_id) {
  write(ApicRegister::id, vcpu_id << 24);
  write(ApicRegister::version, kVersion);
  for (std::uint32_t entry = 0; entry < kLvtEntries; ++entry) write(lvt(entry), kMasked);
  if (vcpu_id == 0) write(ApicRegister::lvt_lint0, kExtInt);  // the bootstrap processor takes the PIC's
  write(ApicRegister::destination_format, ~std::uint32_t{0});
  write(ApicRegister::spurious, kSpuriousAtReset);
}

os::abi::kvm_lapic_state Lapic::state() const {
  os::abi::kvm_lapic_state state;
  std::memcpy(state.regs, words_, sizeof words_);
  return state;
}

void Lapic::set_state(const os::abi::kvm_lapic_state& state) {
  std::memcpy(words_, state.regs, sizeof words_);
  write(ApicRegister::version, kVersion);
  write(ApicRegister::timer_current_count, 0);  // no timer runs
  update_priority();
}

bool Lapic::is_software_enabled() const {
  return (read(ApicRegister::spurious) & kEnabled) != 0;
}

bool Lapic::has(ApicRegister vectors, std::uint8_t vector) const {
  return (words_[word_of(vectors, vector)] >> (vector % 32) & 1) != 0;
}

void Lapic::set(ApicRegister vectors, std::uint8_t vector, bool value) {
  std::uint32_t& word = words_[word_of(vectors, vector)];
  const std::uint32_t bit = 1u << (vector % 32);
  word = value ? word | bit : word & ~bit;
}

int Lapic::highest(ApicRegister vectors) const {
  for (int i = kVectorWords - 1; i >= 0; --i)
    if (const std::uint32_t word = words_[word_of(vectors) + static_cast<std::size_t>(i) * 4]; word != 0)
      return i * 32 + static_cast<int>(std::bit_width(word)) - 1;
  return kNoVector;
}

bool Lapic::request(std::uint8_t vector, bool level) {
  const bool is_new = !has(ApicRegister::requested, vector);
  set(ApicRegister::requested, vector, true);
  set(ApicRegister::trigger_mode, vector, level);
  return is_new;
}

int Lapic::acknowledge() {
  update_priority();
  const int vector = highest(ApicRegister::requested);
  if (vector == kNoVector || !is_software_enabled()) return kNoVector;
  if ((static_cast<std::uint32_t>(vector) & kClass) <= (read(ApicRegister::processor_priority) & kClass))
    return kNoVector;
  set(ApicRegister::requested, static_cast<std::uint8_t>(vector), false);
  set(ApicRegister::in_service, static_cast<std::uint8_t>(vector), true);
  update_priority();
  return vector;
}

int Lapic::end_of_interrupt() {
  const int vector = highest(ApicRegister::in_service);
  if (vector == kNoVector) return kNoVector;
  set(ApicRegister::in_service, static_cast<std::uint8_t>(vector), false);
  update_priority();
  return vector;
}

void Lapic::set_task_priority(std::uint8_t priority) {
  write(ApicRegister::task_priority, priority);
  update_priority();
}

void Lapic::update_priority() {
  const std::uint32_t task = read(ApicRegister::task_priority);
  const auto serviced = static_cast<std::uint32_t>(std::max(highest(ApicRegister::in_service), 0));
  const bool by_task = (task & kClass) >= (serviced & kClass);
  write(ApicRegister::processor_priority, by_task ? task & 0xff : serviced & kClass);
}

}  // namespace vcpr::machine
