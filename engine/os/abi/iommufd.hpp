// iommufd, as <linux/iommufd.h> of Linux 7.2 lays it out on x86_64, in lower case.
// Written by ci/generate-abi from uapi-facts.tsv; change those.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vcpr::os::abi {

// Not beside the structs: some of them have the name of their ioctl.
namespace request {

/// On: iommufd. Argument: iommu_destroy, at least 8 bytes.
inline constexpr std::uint64_t iommu_destroy = 0x3b80;
/// On: iommufd. Argument: iommu_ioas_alloc, at least 12 bytes.
inline constexpr std::uint64_t iommu_ioas_alloc = 0x3b81;
/// On: iommufd. Argument: iommu_ioas_iova_ranges, at least 32 bytes.
inline constexpr std::uint64_t iommu_ioas_iova_ranges = 0x3b84;
/// On: iommufd. Argument: iommu_ioas_allow_iovas, at least 24 bytes.
inline constexpr std::uint64_t iommu_ioas_allow_iovas = 0x3b82;
/// On: iommufd. Argument: iommu_ioas_map, at least 40 bytes.
inline constexpr std::uint64_t iommu_ioas_map = 0x3b85;
/// On: iommufd. Argument: iommu_ioas_map_file, at least 40 bytes.
inline constexpr std::uint64_t iommu_ioas_map_file = 0x3b8f;
/// On: iommufd. Argument: iommu_ioas_copy, at least 40 bytes.
inline constexpr std::uint64_t iommu_ioas_copy = 0x3b83;
/// On: iommufd. Argument: iommu_ioas_unmap, at least 24 bytes.
inline constexpr std::uint64_t iommu_ioas_unmap = 0x3b86;
/// On: iommufd. Argument: iommu_ioas_change_process, at least 8 bytes.
inline constexpr std::uint64_t iommu_ioas_change_process = 0x3b92;
/// On: iommufd. Argument: iommu_option, at least 24 bytes.
inline constexpr std::uint64_t iommu_option = 0x3b87;
/// On: iommufd. Argument: iommu_vfio_ioas, at least 12 bytes.
inline constexpr std::uint64_t iommu_vfio_ioas = 0x3b88;
/// On: iommufd. Argument: iommu_hwpt_alloc, at least 24 bytes.
inline constexpr std::uint64_t iommu_hwpt_alloc = 0x3b89;
/// On: iommufd. Argument: iommu_hw_info, at least 32 bytes.
inline constexpr std::uint64_t iommu_get_hw_info = 0x3b8a;
/// On: iommufd. Argument: iommu_hwpt_set_dirty_tracking, at least 16 bytes.
inline constexpr std::uint64_t iommu_hwpt_set_dirty_tracking = 0x3b8b;
/// On: iommufd. Argument: iommu_hwpt_get_dirty_bitmap, at least 48 bytes.
inline constexpr std::uint64_t iommu_hwpt_get_dirty_bitmap = 0x3b8c;
/// On: iommufd. Argument: iommu_hwpt_invalidate, at least 32 bytes.
inline constexpr std::uint64_t iommu_hwpt_invalidate = 0x3b8d;
/// On: iommufd. Argument: iommu_viommu_alloc, at least 24 bytes.
inline constexpr std::uint64_t iommu_viommu_alloc = 0x3b90;
/// On: iommufd. Argument: iommu_vdevice_alloc, at least 24 bytes.
inline constexpr std::uint64_t iommu_vdevice_alloc = 0x3b91;
/// On: iommufd. Argument: iommu_fault_alloc, at least 16 bytes.
inline constexpr std::uint64_t iommu_fault_queue_alloc = 0x3b8e;
/// On: iommufd. Argument: iommu_veventq_alloc, at least 28 bytes.
inline constexpr std::uint64_t iommu_veventq_alloc = 0x3b93;
/// On: iommufd. Argument: iommu_hw_queue_alloc, at least 40 bytes.
inline constexpr std::uint64_t iommu_hw_queue_alloc = 0x3b94;

}  // namespace request

inline constexpr std::uint32_t iommu_ioas_map_fixed_iova = 1;
inline constexpr std::uint32_t iommu_ioas_map_writeable = 2;
inline constexpr std::uint32_t iommu_ioas_map_readable = 4;
inline constexpr std::uint32_t iommu_option_rlimit_mode = 0;
inline constexpr std::uint32_t iommu_option_huge_pages = 1;
inline constexpr std::uint32_t iommu_option_op_set = 0;
inline constexpr std::uint32_t iommu_option_op_get = 1;
inline constexpr std::uint32_t iommu_vfio_ioas_get = 0;
inline constexpr std::uint32_t iommu_vfio_ioas_set = 1;
inline constexpr std::uint32_t iommu_vfio_ioas_clear = 2;
inline constexpr std::uint32_t iommu_hwpt_alloc_nest_parent = 1;
inline constexpr std::uint32_t iommu_hwpt_alloc_dirty_tracking = 2;
inline constexpr std::uint32_t iommu_hwpt_fault_id_valid = 4;
inline constexpr std::uint32_t iommu_hwpt_alloc_pasid = 8;
inline constexpr std::uint32_t iommu_hwpt_data_none = 0;
inline constexpr std::uint32_t iommu_hwpt_data_vtd_s1 = 1;
inline constexpr std::uint32_t iommu_hwpt_data_arm_smmuv3 = 2;
inline constexpr std::uint32_t iommu_hwpt_data_amd_guest = 3;
inline constexpr std::uint32_t iommu_hw_info_type_none = 0;
inline constexpr std::uint32_t iommu_hw_info_type_default = 0;
inline constexpr std::uint32_t iommu_hw_info_type_intel_vtd = 1;
inline constexpr std::uint32_t iommu_hw_info_type_arm_smmuv3 = 2;
inline constexpr std::uint32_t iommu_hw_info_type_amd = 4;
inline constexpr std::uint32_t iommu_hw_info_flag_input_type = 1;
inline constexpr std::uint32_t iommu_hw_cap_dirty_tracking = 1;
inline constexpr std::uint32_t iommu_hw_cap_pci_pasid_exec = 2;
inline constexpr std::uint32_t iommu_hw_cap_pci_pasid_priv = 4;
inline constexpr std::uint32_t iommu_hw_cap_pci_ats_not_supported = 8;
inline constexpr std::uint32_t iommu_hwpt_dirty_tracking_enable = 1;
inline constexpr std::uint32_t iommu_hwpt_get_dirty_bitmap_no_clear = 1;
inline constexpr std::uint32_t iommu_hwpt_invalidate_data_vtd_s1 = 0;
inline constexpr std::uint32_t iommu_viommu_invalidate_data_arm_smmuv3 = 1;
inline constexpr std::uint32_t iommu_viommu_type_default = 0;
inline constexpr std::uint32_t iommu_viommu_type_arm_smmuv3 = 1;

struct iommu_destroy {
  std::uint32_t size = 0;
  std::uint32_t id = 0;
};
static_assert(sizeof(iommu_destroy) == 8);
static_assert(offsetof(iommu_destroy, size) == 0);
static_assert(offsetof(iommu_destroy, id) == 4);

struct iommu_ioas_alloc {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t out_ioas_id = 0;
};
static_assert(sizeof(iommu_ioas_alloc) == 12);
static_assert(offsetof(iommu_ioas_alloc, size) == 0);
static_assert(offsetof(iommu_ioas_alloc, flags) == 4);
static_assert(offsetof(iommu_ioas_alloc, out_ioas_id) == 8);

struct iommu_ioas_iova_ranges {
  std::uint32_t size = 0;
  std::uint32_t ioas_id = 0;
  std::uint32_t num_iovas = 0;
  std::uint32_t reserved = 0;
  std::uint64_t allowed_iovas = 0;
  std::uint64_t out_iova_alignment = 0;
};
static_assert(sizeof(iommu_ioas_iova_ranges) == 32);
static_assert(offsetof(iommu_ioas_iova_ranges, size) == 0);
static_assert(offsetof(iommu_ioas_iova_ranges, ioas_id) == 4);
static_assert(offsetof(iommu_ioas_iova_ranges, num_iovas) == 8);
static_assert(offsetof(iommu_ioas_iova_ranges, reserved) == 12);
static_assert(offsetof(iommu_ioas_iova_ranges, allowed_iovas) == 16);
static_assert(offsetof(iommu_ioas_iova_ranges, out_iova_alignment) == 24);

struct iommu_ioas_allow_iovas {
  std::uint32_t size = 0;
  std::uint32_t ioas_id = 0;
  std::uint32_t num_iovas = 0;
  std::uint32_t reserved = 0;
  std::uint64_t allowed_iovas = 0;
};
static_assert(sizeof(iommu_ioas_allow_iovas) == 24);
static_assert(offsetof(iommu_ioas_allow_iovas, size) == 0);
static_assert(offsetof(iommu_ioas_allow_iovas, ioas_id) == 4);
static_assert(offsetof(iommu_ioas_allow_iovas, num_iovas) == 8);
static_assert(offsetof(iommu_ioas_allow_iovas, reserved) == 12);
static_assert(offsetof(iommu_ioas_allow_iovas, allowed_iovas) == 16);

struct iommu_ioas_map {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t ioas_id = 0;
  std::uint32_t reserved = 0;
  std::uint64_t user_va = 0;
  std::uint64_t length = 0;
  std::uint64_t iova = 0;
};
static_assert(sizeof(iommu_ioas_map) == 40);
static_assert(offsetof(iommu_ioas_map, size) == 0);
static_assert(offsetof(iommu_ioas_map, flags) == 4);
static_assert(offsetof(iommu_ioas_map, ioas_id) == 8);
static_assert(offsetof(iommu_ioas_map, reserved) == 12);
static_assert(offsetof(iommu_ioas_map, user_va) == 16);
static_assert(offsetof(iommu_ioas_map, length) == 24);
static_assert(offsetof(iommu_ioas_map, iova) == 32);

struct iommu_ioas_map_file {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t ioas_id = 0;
  std::int32_t fd = 0;
  std::uint64_t start = 0;
  std::uint64_t length = 0;
  std::uint64_t iova = 0;
};
static_assert(sizeof(iommu_ioas_map_file) == 40);
static_assert(offsetof(iommu_ioas_map_file, size) == 0);
static_assert(offsetof(iommu_ioas_map_file, flags) == 4);
static_assert(offsetof(iommu_ioas_map_file, ioas_id) == 8);
static_assert(offsetof(iommu_ioas_map_file, fd) == 12);
static_assert(offsetof(iommu_ioas_map_file, start) == 16);
static_assert(offsetof(iommu_ioas_map_file, length) == 24);
static_assert(offsetof(iommu_ioas_map_file, iova) == 32);

struct iommu_ioas_copy {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t dst_ioas_id = 0;
  std::uint32_t src_ioas_id = 0;
  std::uint64_t length = 0;
  std::uint64_t dst_iova = 0;
  std::uint64_t src_iova = 0;
};
static_assert(sizeof(iommu_ioas_copy) == 40);
static_assert(offsetof(iommu_ioas_copy, size) == 0);
static_assert(offsetof(iommu_ioas_copy, flags) == 4);
static_assert(offsetof(iommu_ioas_copy, dst_ioas_id) == 8);
static_assert(offsetof(iommu_ioas_copy, src_ioas_id) == 12);
static_assert(offsetof(iommu_ioas_copy, length) == 16);
static_assert(offsetof(iommu_ioas_copy, dst_iova) == 24);
static_assert(offsetof(iommu_ioas_copy, src_iova) == 32);

struct iommu_ioas_unmap {
  std::uint32_t size = 0;
  std::uint32_t ioas_id = 0;
  std::uint64_t iova = 0;
  std::uint64_t length = 0;
};
static_assert(sizeof(iommu_ioas_unmap) == 24);
static_assert(offsetof(iommu_ioas_unmap, size) == 0);
static_assert(offsetof(iommu_ioas_unmap, ioas_id) == 4);
static_assert(offsetof(iommu_ioas_unmap, iova) == 8);
static_assert(offsetof(iommu_ioas_unmap, length) == 16);

struct iommu_ioas_change_process {
  std::uint32_t size = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(iommu_ioas_change_process) == 8);
static_assert(offsetof(iommu_ioas_change_process, size) == 0);
static_assert(offsetof(iommu_ioas_change_process, reserved) == 4);

struct iommu_option {
  std::uint32_t size = 0;
  std::uint32_t option_id = 0;
  std::uint16_t op = 0;
  std::uint16_t reserved = 0;
  std::uint32_t object_id = 0;
  std::uint64_t val64 = 0;
};
static_assert(sizeof(iommu_option) == 24);
static_assert(offsetof(iommu_option, size) == 0);
static_assert(offsetof(iommu_option, option_id) == 4);
static_assert(offsetof(iommu_option, op) == 8);
static_assert(offsetof(iommu_option, reserved) == 10);
static_assert(offsetof(iommu_option, object_id) == 12);
static_assert(offsetof(iommu_option, val64) == 16);

struct iommu_vfio_ioas {
  std::uint32_t size = 0;
  std::uint32_t ioas_id = 0;
  std::uint16_t op = 0;
  std::uint16_t reserved = 0;
};
static_assert(sizeof(iommu_vfio_ioas) == 12);
static_assert(offsetof(iommu_vfio_ioas, size) == 0);
static_assert(offsetof(iommu_vfio_ioas, ioas_id) == 4);
static_assert(offsetof(iommu_vfio_ioas, op) == 8);
static_assert(offsetof(iommu_vfio_ioas, reserved) == 10);

struct iommu_hwpt_alloc {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t dev_id = 0;
  std::uint32_t pt_id = 0;
  std::uint32_t out_hwpt_id = 0;
  std::uint32_t reserved = 0;
  std::uint32_t data_type = 0;
  std::uint32_t data_len = 0;
  std::uint64_t data_uptr = 0;
  std::uint32_t fault_id = 0;
  std::uint32_t reserved2 = 0;
};
static_assert(sizeof(iommu_hwpt_alloc) == 48);
static_assert(offsetof(iommu_hwpt_alloc, size) == 0);
static_assert(offsetof(iommu_hwpt_alloc, flags) == 4);
static_assert(offsetof(iommu_hwpt_alloc, dev_id) == 8);
static_assert(offsetof(iommu_hwpt_alloc, pt_id) == 12);
static_assert(offsetof(iommu_hwpt_alloc, out_hwpt_id) == 16);
static_assert(offsetof(iommu_hwpt_alloc, reserved) == 20);
static_assert(offsetof(iommu_hwpt_alloc, data_type) == 24);
static_assert(offsetof(iommu_hwpt_alloc, data_len) == 28);
static_assert(offsetof(iommu_hwpt_alloc, data_uptr) == 32);
static_assert(offsetof(iommu_hwpt_alloc, fault_id) == 40);
static_assert(offsetof(iommu_hwpt_alloc, reserved2) == 44);

struct iommu_hw_info {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t dev_id = 0;
  std::uint32_t data_len = 0;
  std::uint64_t data_uptr = 0;
  union {
    std::uint32_t in_data_type = 0;
    std::uint32_t out_data_type;
  };
  std::uint8_t out_max_pasid_log2 = 0;
  std::uint8_t reserved[3] = {};
  std::uint64_t out_capabilities = 0;
};
static_assert(sizeof(iommu_hw_info) == 40);
static_assert(offsetof(iommu_hw_info, size) == 0);
static_assert(offsetof(iommu_hw_info, flags) == 4);
static_assert(offsetof(iommu_hw_info, dev_id) == 8);
static_assert(offsetof(iommu_hw_info, data_len) == 12);
static_assert(offsetof(iommu_hw_info, data_uptr) == 16);
static_assert(offsetof(iommu_hw_info, in_data_type) == 24);
static_assert(offsetof(iommu_hw_info, out_data_type) == 24);
static_assert(offsetof(iommu_hw_info, out_max_pasid_log2) == 28);
static_assert(offsetof(iommu_hw_info, reserved) == 29);
static_assert(offsetof(iommu_hw_info, out_capabilities) == 32);

struct iommu_hwpt_set_dirty_tracking {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t hwpt_id = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(iommu_hwpt_set_dirty_tracking) == 16);
static_assert(offsetof(iommu_hwpt_set_dirty_tracking, size) == 0);
static_assert(offsetof(iommu_hwpt_set_dirty_tracking, flags) == 4);
static_assert(offsetof(iommu_hwpt_set_dirty_tracking, hwpt_id) == 8);
static_assert(offsetof(iommu_hwpt_set_dirty_tracking, reserved) == 12);

struct iommu_hwpt_get_dirty_bitmap {
  std::uint32_t size = 0;
  std::uint32_t hwpt_id = 0;
  std::uint32_t flags = 0;
  std::uint32_t reserved = 0;
  std::uint64_t iova = 0;
  std::uint64_t length = 0;
  std::uint64_t page_size = 0;
  std::uint64_t data = 0;
};
static_assert(sizeof(iommu_hwpt_get_dirty_bitmap) == 48);
static_assert(offsetof(iommu_hwpt_get_dirty_bitmap, size) == 0);
static_assert(offsetof(iommu_hwpt_get_dirty_bitmap, hwpt_id) == 4);
static_assert(offsetof(iommu_hwpt_get_dirty_bitmap, flags) == 8);
static_assert(offsetof(iommu_hwpt_get_dirty_bitmap, reserved) == 12);
static_assert(offsetof(iommu_hwpt_get_dirty_bitmap, iova) == 16);
static_assert(offsetof(iommu_hwpt_get_dirty_bitmap, length) == 24);
static_assert(offsetof(iommu_hwpt_get_dirty_bitmap, page_size) == 32);
static_assert(offsetof(iommu_hwpt_get_dirty_bitmap, data) == 40);

struct iommu_hwpt_invalidate {
  std::uint32_t size = 0;
  std::uint32_t hwpt_id = 0;
  std::uint64_t data_uptr = 0;
  std::uint32_t data_type = 0;
  std::uint32_t entry_len = 0;
  std::uint32_t entry_num = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(iommu_hwpt_invalidate) == 32);
static_assert(offsetof(iommu_hwpt_invalidate, size) == 0);
static_assert(offsetof(iommu_hwpt_invalidate, hwpt_id) == 4);
static_assert(offsetof(iommu_hwpt_invalidate, data_uptr) == 8);
static_assert(offsetof(iommu_hwpt_invalidate, data_type) == 16);
static_assert(offsetof(iommu_hwpt_invalidate, entry_len) == 20);
static_assert(offsetof(iommu_hwpt_invalidate, entry_num) == 24);
static_assert(offsetof(iommu_hwpt_invalidate, reserved) == 28);

struct iommu_viommu_alloc {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t type = 0;
  std::uint32_t dev_id = 0;
  std::uint32_t hwpt_id = 0;
  std::uint32_t out_viommu_id = 0;
  std::uint32_t data_len = 0;
  std::uint32_t reserved = 0;
  std::uint64_t data_uptr = 0;
};
static_assert(sizeof(iommu_viommu_alloc) == 40);
static_assert(offsetof(iommu_viommu_alloc, size) == 0);
static_assert(offsetof(iommu_viommu_alloc, flags) == 4);
static_assert(offsetof(iommu_viommu_alloc, type) == 8);
static_assert(offsetof(iommu_viommu_alloc, dev_id) == 12);
static_assert(offsetof(iommu_viommu_alloc, hwpt_id) == 16);
static_assert(offsetof(iommu_viommu_alloc, out_viommu_id) == 20);
static_assert(offsetof(iommu_viommu_alloc, data_len) == 24);
static_assert(offsetof(iommu_viommu_alloc, reserved) == 28);
static_assert(offsetof(iommu_viommu_alloc, data_uptr) == 32);

struct iommu_vdevice_alloc {
  std::uint32_t size = 0;
  std::uint32_t viommu_id = 0;
  std::uint32_t dev_id = 0;
  std::uint32_t out_vdevice_id = 0;
  std::uint64_t virt_id = 0;
};
static_assert(sizeof(iommu_vdevice_alloc) == 24);
static_assert(offsetof(iommu_vdevice_alloc, size) == 0);
static_assert(offsetof(iommu_vdevice_alloc, viommu_id) == 4);
static_assert(offsetof(iommu_vdevice_alloc, dev_id) == 8);
static_assert(offsetof(iommu_vdevice_alloc, out_vdevice_id) == 12);
static_assert(offsetof(iommu_vdevice_alloc, virt_id) == 16);

struct iommu_fault_alloc {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t out_fault_id = 0;
  std::uint32_t out_fault_fd = 0;
};
static_assert(sizeof(iommu_fault_alloc) == 16);
static_assert(offsetof(iommu_fault_alloc, size) == 0);
static_assert(offsetof(iommu_fault_alloc, flags) == 4);
static_assert(offsetof(iommu_fault_alloc, out_fault_id) == 8);
static_assert(offsetof(iommu_fault_alloc, out_fault_fd) == 12);

struct iommu_veventq_alloc {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t viommu_id = 0;
  std::uint32_t type = 0;
  std::uint32_t veventq_depth = 0;
  std::uint32_t out_veventq_id = 0;
  std::uint32_t out_veventq_fd = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(iommu_veventq_alloc) == 32);
static_assert(offsetof(iommu_veventq_alloc, size) == 0);
static_assert(offsetof(iommu_veventq_alloc, flags) == 4);
static_assert(offsetof(iommu_veventq_alloc, viommu_id) == 8);
static_assert(offsetof(iommu_veventq_alloc, type) == 12);
static_assert(offsetof(iommu_veventq_alloc, veventq_depth) == 16);
static_assert(offsetof(iommu_veventq_alloc, out_veventq_id) == 20);
static_assert(offsetof(iommu_veventq_alloc, out_veventq_fd) == 24);
static_assert(offsetof(iommu_veventq_alloc, reserved) == 28);

struct iommu_hw_queue_alloc {
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::uint32_t viommu_id = 0;
  std::uint32_t type = 0;
  std::uint32_t index = 0;
  std::uint32_t out_hw_queue_id = 0;
  std::uint64_t nesting_parent_iova = 0;
  std::uint64_t length = 0;
};
static_assert(sizeof(iommu_hw_queue_alloc) == 40);
static_assert(offsetof(iommu_hw_queue_alloc, size) == 0);
static_assert(offsetof(iommu_hw_queue_alloc, flags) == 4);
static_assert(offsetof(iommu_hw_queue_alloc, viommu_id) == 8);
static_assert(offsetof(iommu_hw_queue_alloc, type) == 12);
static_assert(offsetof(iommu_hw_queue_alloc, index) == 16);
static_assert(offsetof(iommu_hw_queue_alloc, out_hw_queue_id) == 20);
static_assert(offsetof(iommu_hw_queue_alloc, nesting_parent_iova) == 24);
static_assert(offsetof(iommu_hw_queue_alloc, length) == 32);

struct iommu_iova_range {
  std::uint64_t start = 0;
  std::uint64_t last = 0;
};
static_assert(sizeof(iommu_iova_range) == 16);
static_assert(offsetof(iommu_iova_range, start) == 0);
static_assert(offsetof(iommu_iova_range, last) == 8);

struct iommu_hwpt_vtd_s1 {
  std::uint64_t flags = 0;
  std::uint64_t pgtbl_addr = 0;
  std::uint32_t addr_width = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(iommu_hwpt_vtd_s1) == 24);
static_assert(offsetof(iommu_hwpt_vtd_s1, flags) == 0);
static_assert(offsetof(iommu_hwpt_vtd_s1, pgtbl_addr) == 8);
static_assert(offsetof(iommu_hwpt_vtd_s1, addr_width) == 16);
static_assert(offsetof(iommu_hwpt_vtd_s1, reserved) == 20);

struct iommu_hw_info_vtd {
  std::uint32_t flags = 0;
  std::uint32_t reserved = 0;
  std::uint64_t cap_reg = 0;
  std::uint64_t ecap_reg = 0;
};
static_assert(sizeof(iommu_hw_info_vtd) == 24);
static_assert(offsetof(iommu_hw_info_vtd, flags) == 0);
static_assert(offsetof(iommu_hw_info_vtd, reserved) == 4);
static_assert(offsetof(iommu_hw_info_vtd, cap_reg) == 8);
static_assert(offsetof(iommu_hw_info_vtd, ecap_reg) == 16);

struct iommu_hwpt_vtd_s1_invalidate {
  std::uint64_t addr = 0;
  std::uint64_t npages = 0;
  std::uint32_t flags = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(iommu_hwpt_vtd_s1_invalidate) == 24);
static_assert(offsetof(iommu_hwpt_vtd_s1_invalidate, addr) == 0);
static_assert(offsetof(iommu_hwpt_vtd_s1_invalidate, npages) == 8);
static_assert(offsetof(iommu_hwpt_vtd_s1_invalidate, flags) == 16);
static_assert(offsetof(iommu_hwpt_vtd_s1_invalidate, reserved) == 20);

struct iommu_hwpt_pgfault {
  std::uint32_t flags = 0;
  std::uint32_t dev_id = 0;
  std::uint32_t pasid = 0;
  std::uint32_t grpid = 0;
  std::uint32_t perm = 0;
  std::uint32_t reserved = 0;
  std::uint64_t addr = 0;
  std::uint32_t length = 0;
  std::uint32_t cookie = 0;
};
static_assert(sizeof(iommu_hwpt_pgfault) == 40);
static_assert(offsetof(iommu_hwpt_pgfault, flags) == 0);
static_assert(offsetof(iommu_hwpt_pgfault, dev_id) == 4);
static_assert(offsetof(iommu_hwpt_pgfault, pasid) == 8);
static_assert(offsetof(iommu_hwpt_pgfault, grpid) == 12);
static_assert(offsetof(iommu_hwpt_pgfault, perm) == 16);
static_assert(offsetof(iommu_hwpt_pgfault, reserved) == 20);
static_assert(offsetof(iommu_hwpt_pgfault, addr) == 24);
static_assert(offsetof(iommu_hwpt_pgfault, length) == 32);
static_assert(offsetof(iommu_hwpt_pgfault, cookie) == 36);

struct iommu_hwpt_page_response {
  std::uint32_t cookie = 0;
  std::uint32_t code = 0;
};
static_assert(sizeof(iommu_hwpt_page_response) == 8);
static_assert(offsetof(iommu_hwpt_page_response, cookie) == 0);
static_assert(offsetof(iommu_hwpt_page_response, code) == 4);

}  // namespace vcpr::os::abi
