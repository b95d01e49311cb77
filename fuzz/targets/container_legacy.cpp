// Proves that mappings, vaddrs and charges of type1 containers stay right, whatever happens.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(container_legacy, "mappings, vaddrs and charges of type1 containers stay right, whatever happens",
               container_legacy)
