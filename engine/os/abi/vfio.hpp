// VFIO: containers, groups and devices, as <linux/vfio.h> of Linux 7.2 lays it out on x86_64, in lower case.
// Written by ci/generate-abi from uapi-facts.tsv; change those.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vcpr::os::abi {

// Not beside the structs: some of them have the name of their ioctl.
namespace request {

/// On: container. Argument: none.
inline constexpr std::uint64_t vfio_get_api_version = 0x3b64;
/// On: container. Argument: unsigned long by value: extension id.
inline constexpr std::uint64_t vfio_check_extension = 0x3b65;
/// On: container. Argument: unsigned long by value: iommu type.
inline constexpr std::uint64_t vfio_set_iommu = 0x3b66;
/// On: group. Argument: vfio_group_status, at least 8 bytes.
inline constexpr std::uint64_t vfio_group_get_status = 0x3b67;
/// On: group. Argument: __s32 *: container fd or iommufd.
inline constexpr std::uint64_t vfio_group_set_container = 0x3b68;
/// On: group. Argument: none.
inline constexpr std::uint64_t vfio_group_unset_container = 0x3b69;
/// On: group. Argument: char *: NUL-terminated device name.
inline constexpr std::uint64_t vfio_group_get_device_fd = 0x3b6a;
/// On: device. Argument: vfio_device_info, at least 16 bytes.
inline constexpr std::uint64_t vfio_device_get_info = 0x3b6b;
/// On: device. Argument: vfio_region_info, at least 32 bytes.
inline constexpr std::uint64_t vfio_device_get_region_info = 0x3b6c;
/// On: device. Argument: vfio_irq_info, at least 16 bytes.
inline constexpr std::uint64_t vfio_device_get_irq_info = 0x3b6d;
/// On: device. Argument: vfio_irq_set, at least 20 bytes.
inline constexpr std::uint64_t vfio_device_set_irqs = 0x3b6e;
/// On: device. Argument: none.
inline constexpr std::uint64_t vfio_device_reset = 0x3b6f;
/// On: device. Argument: vfio_pci_hot_reset_info, at least 12 bytes.
inline constexpr std::uint64_t vfio_device_get_pci_hot_reset_info = 0x3b70;
/// On: device. Argument: vfio_pci_hot_reset, at least 12 bytes.
inline constexpr std::uint64_t vfio_device_pci_hot_reset = 0x3b71;
/// On: device. Argument: vfio_device_ioeventfd, at least 28 bytes.
inline constexpr std::uint64_t vfio_device_ioeventfd = 0x3b74;
/// On: device. Argument: vfio_device_feature, at least 8 bytes.
inline constexpr std::uint64_t vfio_device_feature = 0x3b75;
/// On: container(type1). Argument: vfio_iommu_type1_info, at least 16 bytes.
inline constexpr std::uint64_t vfio_iommu_get_info = 0x3b70;
/// On: container(type1). Argument: vfio_iommu_type1_dma_map, at least 32 bytes.
inline constexpr std::uint64_t vfio_iommu_map_dma = 0x3b71;
/// On: container(type1). Argument: vfio_iommu_type1_dma_unmap, at least 24 bytes.
inline constexpr std::uint64_t vfio_iommu_unmap_dma = 0x3b72;
/// On: container(type1). Argument: vfio_iommu_type1_dirty_bitmap, at least 8 bytes.
inline constexpr std::uint64_t vfio_iommu_dirty_pages = 0x3b75;
/// On: device(cdev). Argument: vfio_device_bind_iommufd, at least 16 bytes.
inline constexpr std::uint64_t vfio_device_bind_iommufd = 0x3b76;
/// On: device(cdev). Argument: vfio_device_attach_iommufd_pt, at least 12 bytes.
inline constexpr std::uint64_t vfio_device_attach_iommufd_pt = 0x3b77;
/// On: device(cdev). Argument: vfio_device_detach_iommufd_pt, at least 8 bytes.
inline constexpr std::uint64_t vfio_device_detach_iommufd_pt = 0x3b78;

}  // namespace request

inline constexpr std::uint32_t vfio_api_version = 0;
inline constexpr std::uint32_t vfio_type1_iommu = 1;
inline constexpr std::uint32_t vfio_type1v2_iommu = 3;
inline constexpr std::uint32_t vfio_dma_cc_iommu = 4;
inline constexpr std::uint32_t vfio_noiommu_iommu = 8;
inline constexpr std::uint32_t vfio_unmap_all = 9;
inline constexpr std::uint32_t vfio_update_vaddr = 0xa;
inline constexpr std::uint32_t vfio_group_flags_viable = 1;
inline constexpr std::uint32_t vfio_group_flags_container_set = 2;
inline constexpr std::uint32_t vfio_device_flags_reset = 1;
inline constexpr std::uint32_t vfio_device_flags_pci = 2;
inline constexpr std::uint32_t vfio_device_flags_caps = 0x80;
inline constexpr std::uint32_t vfio_device_info_cap_pci_atomic_comp_id = 5;
inline constexpr std::uint32_t vfio_region_info_flag_read = 1;
inline constexpr std::uint32_t vfio_region_info_flag_write = 2;
inline constexpr std::uint32_t vfio_region_info_flag_mmap = 4;
inline constexpr std::uint32_t vfio_region_info_flag_caps = 8;
inline constexpr std::uint32_t vfio_region_info_cap_sparse_mmap_id = 1;
inline constexpr std::uint32_t vfio_region_info_cap_type_id = 2;
inline constexpr std::uint32_t vfio_region_info_cap_msix_mappable = 3;
inline constexpr std::uint32_t vfio_irq_info_eventfd = 1;
inline constexpr std::uint32_t vfio_irq_info_maskable = 2;
inline constexpr std::uint32_t vfio_irq_info_automasked = 4;
inline constexpr std::uint32_t vfio_irq_info_noresize = 8;
inline constexpr std::uint32_t vfio_irq_set_data_none = 1;
inline constexpr std::uint32_t vfio_irq_set_data_bool = 2;
inline constexpr std::uint32_t vfio_irq_set_data_eventfd = 4;
inline constexpr std::uint32_t vfio_irq_set_action_mask = 8;
inline constexpr std::uint32_t vfio_irq_set_action_unmask = 0x10;
inline constexpr std::uint32_t vfio_irq_set_action_trigger = 0x20;
inline constexpr std::uint32_t vfio_irq_set_data_type_mask = 7;
inline constexpr std::uint32_t vfio_irq_set_action_type_mask = 0x38;
inline constexpr std::uint32_t vfio_pci_bar0_region_index = 0;
inline constexpr std::uint32_t vfio_pci_bar5_region_index = 5;
inline constexpr std::uint32_t vfio_pci_rom_region_index = 6;
inline constexpr std::uint32_t vfio_pci_config_region_index = 7;
inline constexpr std::uint32_t vfio_pci_vga_region_index = 8;
inline constexpr std::uint32_t vfio_pci_num_regions = 9;
inline constexpr std::uint32_t vfio_pci_intx_irq_index = 0;
inline constexpr std::uint32_t vfio_pci_msi_irq_index = 1;
inline constexpr std::uint32_t vfio_pci_msix_irq_index = 2;
inline constexpr std::uint32_t vfio_pci_err_irq_index = 3;
inline constexpr std::uint32_t vfio_pci_req_irq_index = 4;
inline constexpr std::uint32_t vfio_pci_num_irqs = 5;
inline constexpr std::uint32_t vfio_pci_hot_reset_flag_dev_id = 1;
inline constexpr std::uint32_t vfio_pci_hot_reset_flag_dev_id_owned = 2;
inline constexpr std::uint32_t vfio_pci_devid_owned = 0;
inline constexpr std::int32_t vfio_pci_devid_not_owned = -1;
inline constexpr std::uint32_t vfio_device_ioeventfd_8 = 1;
inline constexpr std::uint32_t vfio_device_ioeventfd_16 = 2;
inline constexpr std::uint32_t vfio_device_ioeventfd_32 = 4;
inline constexpr std::uint32_t vfio_device_ioeventfd_64 = 8;
inline constexpr std::uint32_t vfio_device_ioeventfd_size_mask = 0xf;
inline constexpr std::uint32_t vfio_device_feature_mask = 0xffff;
inline constexpr std::uint32_t vfio_device_feature_get = 0x10000;
inline constexpr std::uint32_t vfio_device_feature_set = 0x20000;
inline constexpr std::uint32_t vfio_device_feature_probe = 0x40000;
inline constexpr std::uint32_t vfio_device_feature_pci_vf_token = 0;
inline constexpr std::uint32_t vfio_device_feature_dma_buf = 0xb;
inline constexpr std::uint32_t vfio_device_bind_flag_token = 1;
inline constexpr std::uint32_t vfio_device_attach_pasid = 1;
inline constexpr std::uint32_t vfio_device_detach_pasid = 1;
inline constexpr std::uint32_t vfio_iommu_info_pgsizes = 1;
inline constexpr std::uint32_t vfio_iommu_info_caps = 2;
inline constexpr std::uint32_t vfio_iommu_type1_info_cap_iova_range_id = 1;
inline constexpr std::uint32_t vfio_iommu_type1_info_cap_migration_id = 2;
inline constexpr std::uint32_t vfio_iommu_type1_info_dma_avail_id = 3;
inline constexpr std::uint32_t vfio_dma_map_flag_read = 1;
inline constexpr std::uint32_t vfio_dma_map_flag_write = 2;
inline constexpr std::uint32_t vfio_dma_map_flag_vaddr = 4;
inline constexpr std::uint32_t vfio_dma_unmap_flag_get_dirty_bitmap = 1;
inline constexpr std::uint32_t vfio_dma_unmap_flag_all = 2;
inline constexpr std::uint32_t vfio_dma_unmap_flag_vaddr = 4;
inline constexpr std::uint32_t vfio_iommu_dirty_pages_flag_start = 1;
inline constexpr std::uint32_t vfio_iommu_dirty_pages_flag_stop = 2;
inline constexpr std::uint32_t vfio_iommu_dirty_pages_flag_get_bitmap = 4;

struct vfio_group_status {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
};
static_assert(sizeof(vfio_group_status) == 8);
static_assert(offsetof(vfio_group_status, argsz) == 0);
static_assert(offsetof(vfio_group_status, flags) == 4);

struct vfio_device_info {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint32_t num_regions = 0;
  std::uint32_t num_irqs = 0;
  std::uint32_t cap_offset = 0;
  std::uint32_t pad = 0;
};
static_assert(sizeof(vfio_device_info) == 24);
static_assert(offsetof(vfio_device_info, argsz) == 0);
static_assert(offsetof(vfio_device_info, flags) == 4);
static_assert(offsetof(vfio_device_info, num_regions) == 8);
static_assert(offsetof(vfio_device_info, num_irqs) == 12);
static_assert(offsetof(vfio_device_info, cap_offset) == 16);
static_assert(offsetof(vfio_device_info, pad) == 20);

struct vfio_region_info {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint32_t index = 0;
  std::uint32_t cap_offset = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
};
static_assert(sizeof(vfio_region_info) == 32);
static_assert(offsetof(vfio_region_info, argsz) == 0);
static_assert(offsetof(vfio_region_info, flags) == 4);
static_assert(offsetof(vfio_region_info, index) == 8);
static_assert(offsetof(vfio_region_info, cap_offset) == 12);
static_assert(offsetof(vfio_region_info, size) == 16);
static_assert(offsetof(vfio_region_info, offset) == 24);

struct vfio_irq_info {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint32_t index = 0;
  std::uint32_t count = 0;
};
static_assert(sizeof(vfio_irq_info) == 16);
static_assert(offsetof(vfio_irq_info, argsz) == 0);
static_assert(offsetof(vfio_irq_info, flags) == 4);
static_assert(offsetof(vfio_irq_info, index) == 8);
static_assert(offsetof(vfio_irq_info, count) == 12);

struct vfio_irq_set {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint32_t index = 0;
  std::uint32_t start = 0;
  std::uint32_t count = 0;
  // __u8[] data from here on
};
static_assert(sizeof(vfio_irq_set) == 20);
static_assert(offsetof(vfio_irq_set, argsz) == 0);
static_assert(offsetof(vfio_irq_set, flags) == 4);
static_assert(offsetof(vfio_irq_set, index) == 8);
static_assert(offsetof(vfio_irq_set, start) == 12);
static_assert(offsetof(vfio_irq_set, count) == 16);

struct vfio_pci_hot_reset_info {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint32_t count = 0;
  // struct vfio_pci_dependent_device[] devices from here on
};
static_assert(sizeof(vfio_pci_hot_reset_info) == 12);
static_assert(offsetof(vfio_pci_hot_reset_info, argsz) == 0);
static_assert(offsetof(vfio_pci_hot_reset_info, flags) == 4);
static_assert(offsetof(vfio_pci_hot_reset_info, count) == 8);

struct vfio_pci_hot_reset {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint32_t count = 0;
  // __s32[] group_fds from here on
};
static_assert(sizeof(vfio_pci_hot_reset) == 12);
static_assert(offsetof(vfio_pci_hot_reset, argsz) == 0);
static_assert(offsetof(vfio_pci_hot_reset, flags) == 4);
static_assert(offsetof(vfio_pci_hot_reset, count) == 8);

struct vfio_device_ioeventfd {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint64_t offset = 0;
  std::uint64_t data = 0;
  std::int32_t fd = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(vfio_device_ioeventfd) == 32);
static_assert(offsetof(vfio_device_ioeventfd, argsz) == 0);
static_assert(offsetof(vfio_device_ioeventfd, flags) == 4);
static_assert(offsetof(vfio_device_ioeventfd, offset) == 8);
static_assert(offsetof(vfio_device_ioeventfd, data) == 16);
static_assert(offsetof(vfio_device_ioeventfd, fd) == 24);
static_assert(offsetof(vfio_device_ioeventfd, reserved) == 28);

struct vfio_device_feature {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  // __u8[] data from here on
};
static_assert(sizeof(vfio_device_feature) == 8);
static_assert(offsetof(vfio_device_feature, argsz) == 0);
static_assert(offsetof(vfio_device_feature, flags) == 4);

struct vfio_iommu_type1_info {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint64_t iova_pgsizes = 0;
  std::uint32_t cap_offset = 0;
  std::uint32_t pad = 0;
};
static_assert(sizeof(vfio_iommu_type1_info) == 24);
static_assert(offsetof(vfio_iommu_type1_info, argsz) == 0);
static_assert(offsetof(vfio_iommu_type1_info, flags) == 4);
static_assert(offsetof(vfio_iommu_type1_info, iova_pgsizes) == 8);
static_assert(offsetof(vfio_iommu_type1_info, cap_offset) == 16);
static_assert(offsetof(vfio_iommu_type1_info, pad) == 20);

struct vfio_iommu_type1_dma_map {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint64_t vaddr = 0;
  std::uint64_t iova = 0;
  std::uint64_t size = 0;
};
static_assert(sizeof(vfio_iommu_type1_dma_map) == 32);
static_assert(offsetof(vfio_iommu_type1_dma_map, argsz) == 0);
static_assert(offsetof(vfio_iommu_type1_dma_map, flags) == 4);
static_assert(offsetof(vfio_iommu_type1_dma_map, vaddr) == 8);
static_assert(offsetof(vfio_iommu_type1_dma_map, iova) == 16);
static_assert(offsetof(vfio_iommu_type1_dma_map, size) == 24);

struct vfio_iommu_type1_dma_unmap {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint64_t iova = 0;
  std::uint64_t size = 0;
  // __u8[] data from here on
};
static_assert(sizeof(vfio_iommu_type1_dma_unmap) == 24);
static_assert(offsetof(vfio_iommu_type1_dma_unmap, argsz) == 0);
static_assert(offsetof(vfio_iommu_type1_dma_unmap, flags) == 4);
static_assert(offsetof(vfio_iommu_type1_dma_unmap, iova) == 8);
static_assert(offsetof(vfio_iommu_type1_dma_unmap, size) == 16);

struct vfio_iommu_type1_dirty_bitmap {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  // __u8[] data from here on
};
static_assert(sizeof(vfio_iommu_type1_dirty_bitmap) == 8);
static_assert(offsetof(vfio_iommu_type1_dirty_bitmap, argsz) == 0);
static_assert(offsetof(vfio_iommu_type1_dirty_bitmap, flags) == 4);

struct vfio_device_bind_iommufd {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::int32_t iommufd = 0;
  std::uint32_t out_devid = 0;
  std::uint64_t token_uuid_ptr = 0;
};
static_assert(sizeof(vfio_device_bind_iommufd) == 24);
static_assert(offsetof(vfio_device_bind_iommufd, argsz) == 0);
static_assert(offsetof(vfio_device_bind_iommufd, flags) == 4);
static_assert(offsetof(vfio_device_bind_iommufd, iommufd) == 8);
static_assert(offsetof(vfio_device_bind_iommufd, out_devid) == 12);
static_assert(offsetof(vfio_device_bind_iommufd, token_uuid_ptr) == 16);

struct vfio_device_attach_iommufd_pt {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint32_t pt_id = 0;
  std::uint32_t pasid = 0;
};
static_assert(sizeof(vfio_device_attach_iommufd_pt) == 16);
static_assert(offsetof(vfio_device_attach_iommufd_pt, argsz) == 0);
static_assert(offsetof(vfio_device_attach_iommufd_pt, flags) == 4);
static_assert(offsetof(vfio_device_attach_iommufd_pt, pt_id) == 8);
static_assert(offsetof(vfio_device_attach_iommufd_pt, pasid) == 12);

struct vfio_device_detach_iommufd_pt {
  std::uint32_t argsz = 0;
  std::uint32_t flags = 0;
  std::uint32_t pasid = 0;
};
static_assert(sizeof(vfio_device_detach_iommufd_pt) == 12);
static_assert(offsetof(vfio_device_detach_iommufd_pt, argsz) == 0);
static_assert(offsetof(vfio_device_detach_iommufd_pt, flags) == 4);
static_assert(offsetof(vfio_device_detach_iommufd_pt, pasid) == 8);

struct vfio_info_cap_header {
  std::uint16_t id = 0;
  std::uint16_t version = 0;
  std::uint32_t next = 0;
};
static_assert(sizeof(vfio_info_cap_header) == 8);
static_assert(offsetof(vfio_info_cap_header, id) == 0);
static_assert(offsetof(vfio_info_cap_header, version) == 2);
static_assert(offsetof(vfio_info_cap_header, next) == 4);

struct vfio_bitmap {
  std::uint64_t pgsize = 0;
  std::uint64_t size = 0;
  std::uint64_t* data = nullptr;
};
static_assert(sizeof(vfio_bitmap) == 24);
static_assert(offsetof(vfio_bitmap, pgsize) == 0);
static_assert(offsetof(vfio_bitmap, size) == 8);
static_assert(offsetof(vfio_bitmap, data) == 16);

struct vfio_iommu_type1_dirty_bitmap_get {
  std::uint64_t iova = 0;
  std::uint64_t size = 0;
  vfio_bitmap bitmap;
};
static_assert(sizeof(vfio_iommu_type1_dirty_bitmap_get) == 40);
static_assert(offsetof(vfio_iommu_type1_dirty_bitmap_get, iova) == 0);
static_assert(offsetof(vfio_iommu_type1_dirty_bitmap_get, size) == 8);
static_assert(offsetof(vfio_iommu_type1_dirty_bitmap_get, bitmap) == 16);

struct vfio_iova_range {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};
static_assert(sizeof(vfio_iova_range) == 16);
static_assert(offsetof(vfio_iova_range, start) == 0);
static_assert(offsetof(vfio_iova_range, end) == 8);

struct vfio_iommu_type1_info_cap_iova_range {
  vfio_info_cap_header header;
  std::uint32_t nr_iovas = 0;
  std::uint32_t reserved = 0;
  // struct vfio_iova_range[] iova_ranges from here on
};
static_assert(sizeof(vfio_iommu_type1_info_cap_iova_range) == 16);
static_assert(offsetof(vfio_iommu_type1_info_cap_iova_range, header) == 0);
static_assert(offsetof(vfio_iommu_type1_info_cap_iova_range, nr_iovas) == 8);
static_assert(offsetof(vfio_iommu_type1_info_cap_iova_range, reserved) == 12);

struct vfio_iommu_type1_info_cap_migration {
  vfio_info_cap_header header;
  std::uint32_t flags = 0;
  std::uint64_t pgsize_bitmap = 0;
  std::uint64_t max_dirty_bitmap_size = 0;
};
static_assert(sizeof(vfio_iommu_type1_info_cap_migration) == 32);
static_assert(offsetof(vfio_iommu_type1_info_cap_migration, header) == 0);
static_assert(offsetof(vfio_iommu_type1_info_cap_migration, flags) == 8);
static_assert(offsetof(vfio_iommu_type1_info_cap_migration, pgsize_bitmap) == 16);
static_assert(offsetof(vfio_iommu_type1_info_cap_migration, max_dirty_bitmap_size) == 24);

struct vfio_iommu_type1_info_dma_avail {
  vfio_info_cap_header header;
  std::uint32_t avail = 0;
};
static_assert(sizeof(vfio_iommu_type1_info_dma_avail) == 12);
static_assert(offsetof(vfio_iommu_type1_info_dma_avail, header) == 0);
static_assert(offsetof(vfio_iommu_type1_info_dma_avail, avail) == 8);

struct vfio_region_info_cap_sparse_mmap {
  vfio_info_cap_header header;
  std::uint32_t nr_areas = 0;
  std::uint32_t reserved = 0;
  // struct vfio_region_sparse_mmap_area[] areas from here on
};
static_assert(sizeof(vfio_region_info_cap_sparse_mmap) == 16);
static_assert(offsetof(vfio_region_info_cap_sparse_mmap, header) == 0);
static_assert(offsetof(vfio_region_info_cap_sparse_mmap, nr_areas) == 8);
static_assert(offsetof(vfio_region_info_cap_sparse_mmap, reserved) == 12);

struct vfio_region_sparse_mmap_area {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
static_assert(sizeof(vfio_region_sparse_mmap_area) == 16);
static_assert(offsetof(vfio_region_sparse_mmap_area, offset) == 0);
static_assert(offsetof(vfio_region_sparse_mmap_area, size) == 8);

struct vfio_region_info_cap_type {
  vfio_info_cap_header header;
  std::uint32_t type = 0;
  std::uint32_t subtype = 0;
};
static_assert(sizeof(vfio_region_info_cap_type) == 16);
static_assert(offsetof(vfio_region_info_cap_type, header) == 0);
static_assert(offsetof(vfio_region_info_cap_type, type) == 8);
static_assert(offsetof(vfio_region_info_cap_type, subtype) == 12);

struct vfio_device_info_cap_pci_atomic_comp {
  vfio_info_cap_header header;
  std::uint32_t flags = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(vfio_device_info_cap_pci_atomic_comp) == 16);
static_assert(offsetof(vfio_device_info_cap_pci_atomic_comp, header) == 0);
static_assert(offsetof(vfio_device_info_cap_pci_atomic_comp, flags) == 8);
static_assert(offsetof(vfio_device_info_cap_pci_atomic_comp, reserved) == 12);

struct vfio_pci_dependent_device {
  union {
    std::uint32_t group_id = 0;
    std::uint32_t devid;
  };
  std::uint16_t segment = 0;
  std::uint8_t bus = 0;
  std::uint8_t devfn = 0;
};
static_assert(sizeof(vfio_pci_dependent_device) == 8);
static_assert(offsetof(vfio_pci_dependent_device, group_id) == 0);
static_assert(offsetof(vfio_pci_dependent_device, devid) == 0);
static_assert(offsetof(vfio_pci_dependent_device, segment) == 4);
static_assert(offsetof(vfio_pci_dependent_device, bus) == 6);
static_assert(offsetof(vfio_pci_dependent_device, devfn) == 7);

}  // namespace vcpr::os::abi
