// Proves that a VM that is transferred while anything happens ends in one process, with every invariant holding.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(handover_transfer,
               "a VM that is transferred while anything happens ends in one process, with every invariant holding",
               transfer)
