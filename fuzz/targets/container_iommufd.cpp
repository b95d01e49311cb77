// Proves that ids, records and ownership of iommufds stay right, whatever happens.
#include "fuzz/vm_target.hpp"

VCPR_VM_TARGET(container_iommufd, "ids, records and ownership of iommufds stay right, whatever happens",
               container_iommufd)
