// KVM: interrupts and the VFIO pseudo device, as <linux/kvm.h> of Linux 7.2 lays it out on x86_64, in lower case.
// Written by ci/generate-abi from uapi-facts.tsv; change those.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vcpr::os::abi {

// Not beside the structs: some of them have the name of their ioctl.
namespace request {

/// On: /dev/kvm. Argument: none; arg must be 0.
inline constexpr std::uint64_t kvm_get_api_version = 0xae00;
/// On: /dev/kvm. Argument: unsigned long by value: machine type.
inline constexpr std::uint64_t kvm_create_vm = 0xae01;
/// On: /dev/kvm or VM. Argument: unsigned long by value: cap.
inline constexpr std::uint64_t kvm_check_extension = 0xae03;
/// On: /dev/kvm. Argument: none; arg must be 0.
inline constexpr std::uint64_t kvm_get_vcpu_mmap_size = 0xae04;
/// On: VM. Argument: kvm_userspace_memory_region, at least 32 bytes.
inline constexpr std::uint64_t kvm_set_user_memory_region = 0x4020ae46;
/// On: VM. Argument: unsigned long by value: vcpu id.
inline constexpr std::uint64_t kvm_create_vcpu = 0xae41;
/// On: VM. Argument: kvm_enable_cap, at least 104 bytes.
inline constexpr std::uint64_t kvm_enable_cap = 0x4068aea3;
/// On: VM. Argument: none.
inline constexpr std::uint64_t kvm_create_irqchip = 0xae60;
/// On: VM. Argument: kvm_irq_routing, at least 8 bytes.
inline constexpr std::uint64_t kvm_set_gsi_routing = 0x4008ae6a;
/// On: VM. Argument: kvm_irqfd, at least 32 bytes.
inline constexpr std::uint64_t kvm_irqfd = 0x4020ae76;
/// On: VM. Argument: kvm_msi, at least 32 bytes.
inline constexpr std::uint64_t kvm_signal_msi = 0x4020aea5;
/// On: VM. Argument: kvm_irq_level, at least 8 bytes.
inline constexpr std::uint64_t kvm_irq_line = 0x4008ae61;
/// On: VM. Argument: kvm_irq_level, at least 8 bytes.
inline constexpr std::uint64_t kvm_irq_line_status = 0xc008ae67;
/// On: vcpu. Argument: kvm_lapic_state, at least 1024 bytes.
inline constexpr std::uint64_t kvm_get_lapic = 0x8400ae8e;
/// On: vcpu. Argument: kvm_lapic_state, at least 1024 bytes.
inline constexpr std::uint64_t kvm_set_lapic = 0x4400ae8f;
/// On: VM. Argument: kvm_irqchip, at least 520 bytes.
inline constexpr std::uint64_t kvm_get_irqchip = 0xc208ae62;
/// On: VM. Argument: kvm_irqchip, at least 520 bytes.
inline constexpr std::uint64_t kvm_set_irqchip = 0x8208ae63;
/// On: VM. Argument: kvm_create_device, at least 12 bytes.
inline constexpr std::uint64_t kvm_create_device = 0xc00caee0;
/// On: KVM device. Argument: kvm_device_attr, at least 24 bytes.
inline constexpr std::uint64_t kvm_set_device_attr = 0x4018aee1;
/// On: KVM device. Argument: kvm_device_attr, at least 24 bytes.
inline constexpr std::uint64_t kvm_get_device_attr = 0x4018aee2;
/// On: KVM device. Argument: kvm_device_attr, at least 24 bytes.
inline constexpr std::uint64_t kvm_has_device_attr = 0x4018aee3;
/// On: VM. Argument: kvm_ioeventfd, at least 64 bytes.
inline constexpr std::uint64_t kvm_ioeventfd = 0x4040ae79;

}  // namespace request

inline constexpr std::uint32_t kvm_api_version = 0xc;
inline constexpr std::uint32_t kvm_cap_irqchip = 0;
inline constexpr std::uint32_t kvm_cap_irq_routing = 0x19;
inline constexpr std::uint32_t kvm_cap_irqfd = 0x20;
inline constexpr std::uint32_t kvm_cap_signal_msi = 0x4d;
inline constexpr std::uint32_t kvm_cap_irqfd_resample = 0x52;
inline constexpr std::uint32_t kvm_cap_device_ctrl = 0x59;
inline constexpr std::uint32_t kvm_cap_split_irqchip = 0x79;
inline constexpr std::uint32_t kvm_cap_x2apic_api = 0x81;
inline constexpr std::uint32_t kvm_x2apic_api_use_32bit_ids = 1;
inline constexpr std::uint32_t kvm_irqfd_flag_deassign = 1;
inline constexpr std::uint32_t kvm_irqfd_flag_resample = 2;
inline constexpr std::uint32_t kvm_irq_routing_irqchip_id = 1;
inline constexpr std::uint32_t kvm_irq_routing_msi_id = 2;
inline constexpr std::uint32_t kvm_irqchip_pic_master = 0;
inline constexpr std::uint32_t kvm_irqchip_pic_slave = 1;
inline constexpr std::uint32_t kvm_irqchip_ioapic = 2;
inline constexpr std::uint32_t kvm_msi_valid_devid = 1;
inline constexpr std::uint32_t kvm_create_device_test = 1;
inline constexpr std::uint32_t kvm_dev_type_vfio = 4;
inline constexpr std::uint32_t kvm_dev_vfio_file = 1;
inline constexpr std::uint32_t kvm_dev_vfio_file_add = 1;
inline constexpr std::uint32_t kvm_dev_vfio_file_del = 2;
inline constexpr std::uint32_t kvm_dev_vfio_group = 1;
inline constexpr std::uint32_t kvm_dev_vfio_group_add = 1;
inline constexpr std::uint32_t kvm_dev_vfio_group_del = 2;
inline constexpr std::uint32_t kvm_mem_log_dirty_pages = 1;
inline constexpr std::uint32_t kvm_mem_readonly = 2;
inline constexpr std::uint32_t kvm_cap_user_memory = 3;
inline constexpr std::uint32_t kvm_cap_nr_memslots = 0xa;
inline constexpr std::uint32_t kvm_cap_max_vcpus = 0x42;
inline constexpr std::uint32_t kvm_cap_readonly_mem = 0x51;
inline constexpr std::uint32_t kvm_cap_max_vcpu_id = 0x80;
inline constexpr std::uint32_t kvm_cap_multi_address_space = 0x76;
inline constexpr std::uint32_t kvm_x2apic_api_disable_broadcast_quirk = 2;

struct kvm_userspace_memory_region {
  std::uint32_t slot = 0;
  std::uint32_t flags = 0;
  std::uint64_t guest_phys_addr = 0;
  std::uint64_t memory_size = 0;
  std::uint64_t userspace_addr = 0;
};
static_assert(sizeof(kvm_userspace_memory_region) == 32);
static_assert(offsetof(kvm_userspace_memory_region, slot) == 0);
static_assert(offsetof(kvm_userspace_memory_region, flags) == 4);
static_assert(offsetof(kvm_userspace_memory_region, guest_phys_addr) == 8);
static_assert(offsetof(kvm_userspace_memory_region, memory_size) == 16);
static_assert(offsetof(kvm_userspace_memory_region, userspace_addr) == 24);

struct kvm_enable_cap {
  std::uint32_t cap = 0;
  std::uint32_t flags = 0;
  std::uint64_t args[4] = {};
  std::uint8_t pad[64] = {};
};
static_assert(sizeof(kvm_enable_cap) == 104);
static_assert(offsetof(kvm_enable_cap, cap) == 0);
static_assert(offsetof(kvm_enable_cap, flags) == 4);
static_assert(offsetof(kvm_enable_cap, args) == 8);
static_assert(offsetof(kvm_enable_cap, pad) == 40);

struct kvm_irq_routing {
  std::uint32_t nr = 0;
  std::uint32_t flags = 0;
  // struct kvm_irq_routing_entry[] entries from here on
};
static_assert(sizeof(kvm_irq_routing) == 8);
static_assert(offsetof(kvm_irq_routing, nr) == 0);
static_assert(offsetof(kvm_irq_routing, flags) == 4);

struct kvm_irqfd {
  std::uint32_t fd = 0;
  std::uint32_t gsi = 0;
  std::uint32_t flags = 0;
  std::uint32_t resamplefd = 0;
  std::uint8_t pad[16] = {};
};
static_assert(sizeof(kvm_irqfd) == 32);
static_assert(offsetof(kvm_irqfd, fd) == 0);
static_assert(offsetof(kvm_irqfd, gsi) == 4);
static_assert(offsetof(kvm_irqfd, flags) == 8);
static_assert(offsetof(kvm_irqfd, resamplefd) == 12);
static_assert(offsetof(kvm_irqfd, pad) == 16);

struct kvm_msi {
  std::uint32_t address_lo = 0;
  std::uint32_t address_hi = 0;
  std::uint32_t data = 0;
  std::uint32_t flags = 0;
  std::uint32_t devid = 0;
  std::uint8_t pad[12] = {};
};
static_assert(sizeof(kvm_msi) == 32);
static_assert(offsetof(kvm_msi, address_lo) == 0);
static_assert(offsetof(kvm_msi, address_hi) == 4);
static_assert(offsetof(kvm_msi, data) == 8);
static_assert(offsetof(kvm_msi, flags) == 12);
static_assert(offsetof(kvm_msi, devid) == 16);
static_assert(offsetof(kvm_msi, pad) == 20);

struct kvm_irq_level {
  union {
    std::uint32_t irq = 0;
    std::int32_t status;
  };
  std::uint32_t level = 0;
};
static_assert(sizeof(kvm_irq_level) == 8);
static_assert(offsetof(kvm_irq_level, irq) == 0);
static_assert(offsetof(kvm_irq_level, status) == 0);
static_assert(offsetof(kvm_irq_level, level) == 4);

struct kvm_lapic_state {
  char regs[1024] = {};
};
static_assert(sizeof(kvm_lapic_state) == 1024);
static_assert(offsetof(kvm_lapic_state, regs) == 0);

struct kvm_pic_state {
  std::uint8_t last_irr = 0;
  std::uint8_t irr = 0;
  std::uint8_t imr = 0;
  std::uint8_t isr = 0;
  std::uint8_t priority_add = 0;
  std::uint8_t irq_base = 0;
  std::uint8_t read_reg_select = 0;
  std::uint8_t poll = 0;
  std::uint8_t special_mask = 0;
  std::uint8_t init_state = 0;
  std::uint8_t auto_eoi = 0;
  std::uint8_t rotate_on_auto_eoi = 0;
  std::uint8_t special_fully_nested_mode = 0;
  std::uint8_t init4 = 0;
  std::uint8_t elcr = 0;
  std::uint8_t elcr_mask = 0;
};
static_assert(sizeof(kvm_pic_state) == 16);
static_assert(offsetof(kvm_pic_state, last_irr) == 0);
static_assert(offsetof(kvm_pic_state, irr) == 1);
static_assert(offsetof(kvm_pic_state, imr) == 2);
static_assert(offsetof(kvm_pic_state, isr) == 3);
static_assert(offsetof(kvm_pic_state, priority_add) == 4);
static_assert(offsetof(kvm_pic_state, irq_base) == 5);
static_assert(offsetof(kvm_pic_state, read_reg_select) == 6);
static_assert(offsetof(kvm_pic_state, poll) == 7);
static_assert(offsetof(kvm_pic_state, special_mask) == 8);
static_assert(offsetof(kvm_pic_state, init_state) == 9);
static_assert(offsetof(kvm_pic_state, auto_eoi) == 10);
static_assert(offsetof(kvm_pic_state, rotate_on_auto_eoi) == 11);
static_assert(offsetof(kvm_pic_state, special_fully_nested_mode) == 12);
static_assert(offsetof(kvm_pic_state, init4) == 13);
static_assert(offsetof(kvm_pic_state, elcr) == 14);
static_assert(offsetof(kvm_pic_state, elcr_mask) == 15);

struct kvm_ioapic_state {
  std::uint64_t base_address = 0;
  std::uint32_t ioregsel = 0;
  std::uint32_t id = 0;
  std::uint32_t irr = 0;
  std::uint32_t pad = 0;
  std::uint64_t redirtbl[24] = {};
};
static_assert(sizeof(kvm_ioapic_state) == 216);
static_assert(offsetof(kvm_ioapic_state, base_address) == 0);
static_assert(offsetof(kvm_ioapic_state, ioregsel) == 8);
static_assert(offsetof(kvm_ioapic_state, id) == 12);
static_assert(offsetof(kvm_ioapic_state, irr) == 16);
static_assert(offsetof(kvm_ioapic_state, pad) == 20);
static_assert(offsetof(kvm_ioapic_state, redirtbl) == 24);

struct kvm_irqchip {
  std::uint32_t chip_id = 0;
  std::uint32_t pad = 0;
  union {
    char dummy[512] = {};
    kvm_ioapic_state ioapic;
    kvm_pic_state pic;
  } chip;
};
static_assert(sizeof(kvm_irqchip) == 520);
static_assert(offsetof(kvm_irqchip, chip_id) == 0);
static_assert(offsetof(kvm_irqchip, pad) == 4);
static_assert(offsetof(kvm_irqchip, chip) == 8);
static_assert(offsetof(kvm_irqchip, chip.dummy) == 8);
static_assert(offsetof(kvm_irqchip, chip.pic) == 8);
static_assert(offsetof(kvm_irqchip, chip.ioapic) == 8);

struct kvm_create_device {
  std::uint32_t type = 0;
  std::uint32_t fd = 0;
  std::uint32_t flags = 0;
};
static_assert(sizeof(kvm_create_device) == 12);
static_assert(offsetof(kvm_create_device, type) == 0);
static_assert(offsetof(kvm_create_device, fd) == 4);
static_assert(offsetof(kvm_create_device, flags) == 8);

struct kvm_device_attr {
  std::uint32_t flags = 0;
  std::uint32_t group = 0;
  std::uint64_t attr = 0;
  std::uint64_t addr = 0;
};
static_assert(sizeof(kvm_device_attr) == 24);
static_assert(offsetof(kvm_device_attr, flags) == 0);
static_assert(offsetof(kvm_device_attr, group) == 4);
static_assert(offsetof(kvm_device_attr, attr) == 8);
static_assert(offsetof(kvm_device_attr, addr) == 16);

struct kvm_ioeventfd {
  std::uint64_t datamatch = 0;
  std::uint64_t addr = 0;
  std::uint32_t len = 0;
  std::int32_t fd = 0;
  std::uint32_t flags = 0;
  std::uint8_t pad[36] = {};
};
static_assert(sizeof(kvm_ioeventfd) == 64);
static_assert(offsetof(kvm_ioeventfd, datamatch) == 0);
static_assert(offsetof(kvm_ioeventfd, addr) == 8);
static_assert(offsetof(kvm_ioeventfd, len) == 16);
static_assert(offsetof(kvm_ioeventfd, fd) == 20);
static_assert(offsetof(kvm_ioeventfd, flags) == 24);
static_assert(offsetof(kvm_ioeventfd, pad) == 28);

struct kvm_irq_routing_irqchip {
  std::uint32_t irqchip = 0;
  std::uint32_t pin = 0;
};
static_assert(sizeof(kvm_irq_routing_irqchip) == 8);
static_assert(offsetof(kvm_irq_routing_irqchip, irqchip) == 0);
static_assert(offsetof(kvm_irq_routing_irqchip, pin) == 4);

struct kvm_irq_routing_msi {
  std::uint32_t address_lo = 0;
  std::uint32_t address_hi = 0;
  std::uint32_t data = 0;
  union {
    std::uint32_t pad = 0;
    std::uint32_t devid;
  };
};
static_assert(sizeof(kvm_irq_routing_msi) == 16);
static_assert(offsetof(kvm_irq_routing_msi, address_lo) == 0);
static_assert(offsetof(kvm_irq_routing_msi, address_hi) == 4);
static_assert(offsetof(kvm_irq_routing_msi, data) == 8);
static_assert(offsetof(kvm_irq_routing_msi, pad) == 12);
static_assert(offsetof(kvm_irq_routing_msi, devid) == 12);

struct kvm_irq_routing_entry {
  std::uint32_t gsi = 0;
  std::uint32_t type = 0;
  std::uint32_t flags = 0;
  std::uint32_t pad = 0;
  union {
    std::uint32_t pad[8] = {};
    kvm_irq_routing_msi msi;
    kvm_irq_routing_irqchip irqchip;
  } u;
};
static_assert(sizeof(kvm_irq_routing_entry) == 48);
static_assert(offsetof(kvm_irq_routing_entry, gsi) == 0);
static_assert(offsetof(kvm_irq_routing_entry, type) == 4);
static_assert(offsetof(kvm_irq_routing_entry, flags) == 8);
static_assert(offsetof(kvm_irq_routing_entry, pad) == 12);
static_assert(offsetof(kvm_irq_routing_entry, u) == 16);
static_assert(offsetof(kvm_irq_routing_entry, u.irqchip) == 16);
static_assert(offsetof(kvm_irq_routing_entry, u.msi) == 16);
static_assert(offsetof(kvm_irq_routing_entry, u.pad) == 16);

}  // namespace vcpr::os::abi
