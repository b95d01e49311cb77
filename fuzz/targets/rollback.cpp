// Proves that after an attempt that failed the VM is as it was, and the next one succeeds.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(rollback, "after an attempt that failed the VM is as it was, and the next one succeeds", rollback)
