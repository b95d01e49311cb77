#include "engine/kvm/sections/i8259.hpp"

#include "engine/os/flag_names.hpp"

namespace vcpr::kvm {

void read_chip(const os::abi::kvm_pic_state& chip, I8259& pic) {
  pic = {.last_irr = chip.last_irr,
         .irr = chip.irr,
         .imr = chip.imr,
         .isr = chip.isr,
         .priority_add = chip.priority_add,
         .irq_base = chip.irq_base,
         .read_reg_select = chip.read_reg_select,
         .poll = chip.poll,
         .special_mask = chip.special_mask,
         .init_state = chip.init_state,
         .auto_eoi = chip.auto_eoi,
         .rotate_on_auto_eoi = chip.rotate_on_auto_eoi,
         .special_fully_nested_mode = chip.special_fully_nested_mode,
         .init4 = chip.init4,
         .single_mode = pic.single_mode,
         .elcr = chip.elcr};
}

os::abi::kvm_pic_state chip_of(const I8259& pic, std::uint32_t instance) {
  return {.last_irr = pic.last_irr,
          .irr = pic.irr,
          .imr = pic.imr,
          .isr = pic.isr,
          .priority_add = pic.priority_add,
          .irq_base = pic.irq_base,
          .read_reg_select = pic.read_reg_select,
          .poll = pic.poll,
          .special_mask = pic.special_mask,
          .init_state = pic.init_state,
          .auto_eoi = pic.auto_eoi,
          .rotate_on_auto_eoi = pic.rotate_on_auto_eoi,
          .special_fully_nested_mode = pic.special_fully_nested_mode,
          .init4 = pic.init4,
          .elcr = pic.elcr,
          .elcr_mask = kElcrMasks[instance]};
}

Expected<void> check(const I8259& pic, std::uint32_t instance) {
  if (pic.irq_base % 8 != 0) {
    return refuse(ErrorCode::bad_value, {"i8259 instance ", Decimal(instance), ": irq_base is ",
                                         Decimal(std::uint32_t{pic.irq_base}), ", not a multiple of 8"});
  }
  if ((pic.elcr & ~kElcrMasks[instance]) != 0) {
    return refuse(ErrorCode::bad_value, {"i8259 instance ", Decimal(instance), ": elcr is ", os::hexadecimal(pic.elcr),
                                         ", a guest can set ", os::hexadecimal(kElcrMasks[instance])});
  }
  return {};
}

}  // namespace vcpr::kvm
