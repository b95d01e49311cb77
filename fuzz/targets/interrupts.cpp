// Proves that no interrupt is lost or stuck, whenever a device raises it and however the guest takes it.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(interrupts, "no interrupt is lost or stuck, whenever a device raises it and however the guest takes it",
               interrupts)
