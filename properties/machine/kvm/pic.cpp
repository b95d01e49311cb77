#include "properties/machine/kvm/pic.hpp"

#include "properties/machine/kvm/limits.hpp"
#include "properties/machine/kvm/vm.hpp"

namespace vcpr::machine {

namespace {

using Chip = os::abi::kvm_pic_state;

constexpr int kCascade = 2;     // pin of the master that the slave drives
constexpr int kNoPriority = 8;  // below all

/// pic_set_irq1
int set_level(Chip& chip, std::uint32_t pin, bool high) {
  const auto bit = static_cast<std::uint8_t>(1u << pin);
  int result = 1;
  const bool level = (chip.elcr & bit) != 0;
  if (high && (level || (chip.last_irr & bit) == 0)) {
    result = (chip.irr & bit) == 0 ? 1 : 0;
    chip.irr |= bit;
  }
  if (!high && level) chip.irr &= static_cast<std::uint8_t>(~bit);
  chip.last_irr = static_cast<std::uint8_t>(high ? chip.last_irr | bit : chip.last_irr & ~bit);
  return (chip.imr & bit) != 0 ? -1 : result;
}

/// get_priority: of the most urgent set bit.
int priority(const Chip& chip, std::uint32_t bits) {
  if (bits == 0) return kNoPriority;
  int found = 0;
  while ((bits >> ((found + chip.priority_add) & 7) & 1) == 0) ++found;
  return found;
}

/// pic_get_irq: whether the chip asks for service.
bool asks(const Chip& chip) {
  const int wanted = priority(chip, static_cast<std::uint32_t>(chip.irr & ~chip.imr));
  return wanted != kNoPriority && wanted < priority(chip, chip.isr);
}

}  // namespace

Pic::Pic() {
  chips[0].elcr_mask = 0xf8;
  chips[1].elcr_mask = 0xde;
}

void update_pic(KvmVm& vm) {
  if (!asks(vm.pic.chips[1])) return;
  (void)set_level(vm.pic.chips[0], kCascade, true);
  (void)set_level(vm.pic.chips[0], kCascade, false);
}

int set_pic_pin(KvmVm& vm, std::uint32_t pin, LineSource source, bool level) {
  std::uint8_t& sources = vm.pic.sources[pin];
  const auto own = static_cast<std::uint8_t>(1u << static_cast<unsigned>(source));
  sources = static_cast<std::uint8_t>(level ? sources | own : sources & ~own);
  const int result = set_level(vm.pic.chips[pin / kPicPins], pin % kPicPins, sources != 0);
  update_pic(vm);
  return result;
}

}  // namespace vcpr::machine
