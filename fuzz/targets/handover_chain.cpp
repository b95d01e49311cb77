// Proves that a VM handed over again and again, by any mode, keeps every invariant.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(handover_chain, "a VM handed over again and again, by any mode, keeps every invariant", chain)
