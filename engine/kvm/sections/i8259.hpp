// The sections "i8259", instance 0 the master, 1 the slave (QEMU hw/intc/i8259_common.c), and their way to and from
// KVM_GET_IRQCHIP (hw/i386/kvm/i8259.c).
#pragma once

#include <cstdint>

#include "engine/os/abi/kvm.hpp"
#include "engine/vmstate/fields.hpp"

namespace vcpr::kvm {

/// Which pins' triggers a guest can choose (ELCR): not those of timer, keyboard, cascade, clock and coprocessor.
inline constexpr std::uint8_t kElcrMasks[] = {0xf8, 0xde};

struct I8259 {
  std::uint8_t last_irr = 0;
  std::uint8_t irr = 0;
  std::uint8_t imr = 0;
  std::uint8_t isr = 0;
  std::uint8_t priority_add = 0;  ///< the pin of highest priority
  std::uint8_t irq_base = 0;      ///< vector of pin 0
  std::uint8_t read_reg_select = 0;
  std::uint8_t poll = 0;
  std::uint8_t special_mask = 0;
  std::uint8_t init_state = 0;  ///< which initialization word comes next
  std::uint8_t auto_eoi = 0;
  std::uint8_t rotate_on_auto_eoi = 0;
  std::uint8_t special_fully_nested_mode = 0;
  std::uint8_t init4 = 0;
  std::uint8_t single_mode = 0;  ///< KVM has none: kept as it came
  std::uint8_t elcr = 0;
};

inline constexpr vmstate::Field kI8259Fields[] = {
    vmstate::field<&I8259::last_irr>("last_irr"),
    vmstate::field<&I8259::irr>("irr"),
    vmstate::field<&I8259::imr>("imr"),
    vmstate::field<&I8259::isr>("isr"),
    vmstate::field<&I8259::priority_add>("priority_add").at_most(7),
    vmstate::field<&I8259::irq_base>("irq_base"),
    vmstate::field<&I8259::read_reg_select>("read_reg_select").at_most(1),
    vmstate::field<&I8259::poll>("poll").at_most(1),
    vmstate::field<&I8259::special_mask>("special_mask").at_most(1),
    vmstate::field<&I8259::init_state>("init_state").at_most(3),
    vmstate::field<&I8259::auto_eoi>("auto_eoi").at_most(1),
    vmstate::field<&I8259::rotate_on_auto_eoi>("rotate_on_auto_eoi").at_most(1),
    vmstate::field<&I8259::special_fully_nested_mode>("special_fully_nested_mode").at_most(1),
    vmstate::field<&I8259::init4>("init4").at_most(1),
    vmstate::field<&I8259::single_mode>("single_mode").at_most(2),  // QEMU keeps the bit of ICW1 where it stood
    vmstate::field<&I8259::elcr>("elcr"),
};
inline constexpr auto kI8259 = vmstate::describe<I8259>("i8259", 1, kI8259Fields).minimum(1);

void read_chip(const os::abi::kvm_pic_state& chip, I8259& pic);
/// `instance` decides elcr_mask, which the section has not.
os::abi::kvm_pic_state chip_of(const I8259& pic, std::uint32_t instance);
/// bad_value: irq_base is not a multiple of 8, elcr has a pin whose trigger is fixed.
Expected<void> check(const I8259& pic, std::uint32_t instance);

}  // namespace vcpr::kvm
