// The ioctls of an iommufd. Errors are those of the kernel function named beside each; arguments have passed the rule
// of sizes.
#pragma once

#include "engine/os/abi/iommufd.hpp"
#include "properties/machine/iommufd/command.hpp"

namespace vcpr::machine {

// Mappings (ioas.c)
os::Result<void> ioas_alloc(Command& command, os::abi::iommu_ioas_alloc& argument);
os::Result<void> ioas_iova_ranges(Command& command, os::abi::iommu_ioas_iova_ranges& argument);
os::Result<void> ioas_allow_iovas(Command& command, os::abi::iommu_ioas_allow_iovas& argument);
os::Result<void> ioas_map(Command& command, os::abi::iommu_ioas_map& argument);
os::Result<void> ioas_map_file(Command& command, os::abi::iommu_ioas_map_file& argument);
os::Result<void> ioas_copy(Command& command, os::abi::iommu_ioas_copy& argument);
os::Result<void> ioas_unmap(Command& command, os::abi::iommu_ioas_unmap& argument);
os::Result<void> ioas_change_process(Command& command, os::abi::iommu_ioas_change_process& argument);

// The context (main.c)
os::Result<void> destroy(Command& command, os::abi::iommu_destroy& argument);
os::Result<void> option(Command& command, os::abi::iommu_option& argument);
os::Result<void> vfio_ioas(Command& command, os::abi::iommu_vfio_ioas& argument);

// Domains (hw_pagetable.c); hwpt_invalidate answers with no entry done, and always fails
os::Result<void> hwpt_alloc(Command& command, os::abi::iommu_hwpt_alloc& argument);
os::Result<void> hwpt_set_dirty_tracking(Command& command, os::abi::iommu_hwpt_set_dirty_tracking& argument);
os::Result<void> hwpt_get_dirty_bitmap(Command& command, os::abi::iommu_hwpt_get_dirty_bitmap& argument);
os::Result<void> hwpt_invalidate(Command& command, os::abi::iommu_hwpt_invalidate& argument);

// What this IOMMU is and is not (device.c, eventq.c, viommu.c)
os::Result<void> get_hw_info(Command& command, os::abi::iommu_hw_info& argument);
os::Result<void> fault_queue_alloc(Command& command, os::abi::iommu_fault_alloc& argument);
os::Result<void> viommu_alloc(Command& command, os::abi::iommu_viommu_alloc& argument);
os::Result<void> vdevice_alloc(Command& command, os::abi::iommu_vdevice_alloc& argument);
os::Result<void> veventq_alloc(Command& command, os::abi::iommu_veventq_alloc& argument);
os::Result<void> hw_queue_alloc(Command& command, os::abi::iommu_hw_queue_alloc& argument);

}  // namespace vcpr::machine
