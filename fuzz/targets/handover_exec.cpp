// Proves that a VM handed over by execve while anything happens keeps every invariant.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(handover_exec, "a VM handed over by execve while anything happens keeps every invariant", exec)
