// The in-kernel pair of 8259s (arch/x86/kvm/i8259.c): their request lines; no guest takes interrupts from them.
#pragma once

#include <cstdint>

#include "engine/os/abi/kvm.hpp"

namespace vcpr::machine {

struct KvmVm;
enum class LineSource : std::uint8_t;

struct Pic {
  Pic();

  os::abi::kvm_pic_state chips[2];  ///< master, slave
  std::uint8_t sources[16] = {};    ///< who holds each line
};

/// kvm_pic_set_irq of a pin of the pair, 0-15; see set_irq() for the result.
int set_pic_pin(KvmVm& vm, std::uint32_t pin, LineSource source, bool level);

/// kvm_pic_update_irq: hands the slave's request to the master.
void update_pic(KvmVm& vm);

}  // namespace vcpr::machine
