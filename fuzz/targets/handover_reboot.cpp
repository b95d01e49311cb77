// Proves that a VM that is written to a file and started again keeps its memory and its sleep.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(handover_reboot, "a VM that is written to a file and started again keeps its memory and its sleep",
               reboot)
