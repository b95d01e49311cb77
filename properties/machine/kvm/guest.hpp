// What the guest of a VM does with interrupts, for schedules: no calls, they leave no trace.
#pragma once

#include <cstdint>

#include "properties/machine/kvm/vcpu.hpp"
#include "properties/machine/kvm/vm.hpp"

namespace vcpr::machine {

/// The vCPU takes its highest interrupt; the vector, or -1 when none is due.
int take_interrupt(Vcpu& vcpu);
/// The guest writes EOI: its vector, or -1 when none was in service. A level line that is still high comes again.
int end_interrupt(Vcpu& vcpu);

}  // namespace vcpr::machine
