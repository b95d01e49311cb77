// Proves that what guest and management do to devices before and during a handover crosses over or ends it.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(pci_state,
               "what guest and management do to devices before and during a handover crosses over or ends it",
               pci_state)
