// Proves that a machine without a capability answers as an older kernel does: what it does not know it refuses.
#include <gtest/gtest.h>
#include <string>

#include "engine/os/abi.hpp"
#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/vfio.hpp"
#include "properties/machine/machine.hpp"
#include "properties/machine/memory.hpp"

namespace vcpr::machine {
namespace {

using os::Errno;
namespace abi = os::abi;
namespace request = abi::request;

constexpr std::uint64_t kIova = 0x100000;

Errno error_of(const os::Result<int>& result) {
  return result ? Errno::none : result.error();
}

/// A container with the group of an edu and one mapping, and an iommufd with an IOAS.
struct Host {
  explicit Host(const Switches& switches) : machine(switches), k(machine.spawn().kernel()) {
    machine.plug({DeviceModel::edu, 1, "0000:00:05.0"});
    container = *k.open("/dev/vfio/vfio", abi::o_rdwr);
    group = *k.open("/dev/vfio/1", abi::o_rdwr);
    EXPECT_TRUE(k.ioctl(group, request::vfio_group_set_container, &container));
    EXPECT_TRUE(k.ioctl(container, request::vfio_set_iommu, number(abi::vfio_type1v2_iommu)));
    file = *k.memfd_create("ram", 0);
    EXPECT_TRUE(k.ftruncate(file, kPageBytes));
    ram = *k.mmap(os::UserAddr(), kPageBytes, abi::prot_read | abi::prot_write, abi::map_shared, file, 0);
    EXPECT_EQ(map(abi::vfio_dma_map_flag_read), Errno::none);
    iommufd = *k.open("/dev/iommu", abi::o_rdwr);
    abi::iommu_ioas_alloc ioas{sizeof ioas, 0, 0};
    EXPECT_TRUE(k.ioctl(iommufd, request::iommu_ioas_alloc, &ioas));
  }

  static void* number(std::uintptr_t value) { return reinterpret_cast<void*>(value); }
  int has(std::uintptr_t extension) { return *k.ioctl(container, request::vfio_check_extension, number(extension)); }
  Errno map(std::uint32_t flags) {
    abi::vfio_iommu_type1_dma_map wanted{sizeof wanted, flags, ram.value(), kIova, kPageBytes};
    return error_of(k.ioctl(container, request::vfio_iommu_map_dma, &wanted));
  }
  Errno unmap(std::uint32_t flags) {
    const bool all = (flags & abi::vfio_dma_unmap_flag_all) != 0;
    std::uint64_t bits = 0;
    struct {
      abi::vfio_iommu_type1_dma_unmap range;
      abi::vfio_bitmap bitmap;
    } wanted{{sizeof wanted, flags, all ? 0 : kIova, all ? 0 : kPageBytes}, {kPageBytes, sizeof bits, &bits}};
    return error_of(k.ioctl(container, request::vfio_iommu_unmap_dma, &wanted));
  }
  Errno start_tracking() {
    abi::vfio_iommu_type1_dirty_bitmap start{sizeof start, abi::vfio_iommu_dirty_pages_flag_start};
    return error_of(k.ioctl(container, request::vfio_iommu_dirty_pages, &start));
  }
  std::uint32_t info_bytes() {
    abi::vfio_iommu_type1_info info;
    info.argsz = sizeof info;
    EXPECT_TRUE(k.ioctl(container, request::vfio_iommu_get_info, &info));
    return info.argsz;
  }
  template <class Argument>
  Errno iommufd_call(std::uint64_t code, Argument argument) {
    return error_of(k.ioctl(iommufd, code, &argument));
  }

  Machine machine;
  os::Kernel& k;
  int container = -1, group = -1, iommufd = -1, file = -1;
  os::UserAddr ram;
};

class Capability : public testing::TestWithParam<bool> {
 protected:
  static Errno unless_known(Errno refusal) { return GetParam() ? Errno::none : refusal; }
  Switches switches;
};

TEST_P(Capability, UpdateVaddr) {
  switches.update_vaddr = GetParam();
  Host h(switches);
  EXPECT_EQ(h.has(abi::vfio_update_vaddr), GetParam());
  EXPECT_EQ(h.has(abi::vfio_unmap_all), 1);
  EXPECT_EQ(h.unmap(abi::vfio_dma_unmap_flag_vaddr), unless_known(Errno::einval));
  EXPECT_EQ(h.map(abi::vfio_dma_map_flag_vaddr), unless_known(Errno::einval));
  EXPECT_EQ(h.unmap(0), Errno::none);
}

TEST_P(Capability, UnmapAll) {
  switches.unmap_all = GetParam();
  Host h(switches);
  EXPECT_EQ(h.has(abi::vfio_unmap_all), GetParam());
  EXPECT_EQ(h.has(abi::vfio_update_vaddr), 1);
  EXPECT_EQ(h.unmap(abi::vfio_dma_unmap_flag_all), unless_known(Errno::einval));
}

TEST_P(Capability, DirtyTracking) {
  switches.dirty_tracking = GetParam();
  Host h(switches);
  EXPECT_EQ(h.start_tracking(), unless_known(Errno::enotty));
  EXPECT_EQ(h.unmap(abi::vfio_dma_unmap_flag_get_dirty_bitmap), unless_known(Errno::einval));
  constexpr std::uint32_t kOthers = sizeof(abi::vfio_iommu_type1_info) + 16 + 48;
  EXPECT_EQ(h.info_bytes(), kOthers + (GetParam() ? 32 : 0));
}

TEST_P(Capability, ChangeProcess) {
  switches.change_process = GetParam();
  Host h(switches);
  EXPECT_EQ(h.iommufd_call(request::iommu_ioas_change_process, abi::iommu_ioas_change_process{8, 0}),
            unless_known(Errno::enotty));
  EXPECT_EQ(error_of(h.k.ioctl(h.iommufd, request::iommu_ioas_change_process, nullptr)),
            GetParam() ? Errno::efault : Errno::enotty);
}

TEST_P(Capability, MapFile) {
  switches.map_file = GetParam();
  Host h(switches);
  constexpr std::uint32_t kRead = abi::iommu_ioas_map_fixed_iova | abi::iommu_ioas_map_readable;
  const abi::iommu_ioas_map_file map{40, kRead, 1, h.file, 0, kPageBytes, kIova};
  EXPECT_EQ(h.iommufd_call(request::iommu_ioas_map_file, map), unless_known(Errno::enotty));
  const abi::iommu_ioas_map plain{40, kRead, 1, 0, h.ram.value(), kPageBytes, 2 * kIova};
  EXPECT_EQ(h.iommufd_call(request::iommu_ioas_map, plain), Errno::none);
}

TEST_P(Capability, DeviceNodes) {
  switches.device_cdev = GetParam();
  Host h(switches);
  EXPECT_EQ(error_of(h.k.open("/dev/vfio/devices/vfio0", abi::o_rdwr)), unless_known(Errno::enoent));
  std::string name = "0000:00:05.0";
  const int device = *h.k.ioctl(h.group, request::vfio_group_get_device_fd, name.data());
  abi::vfio_device_bind_iommufd bind{sizeof bind, 0, h.iommufd, 0, 0};
  EXPECT_EQ(error_of(h.k.ioctl(device, request::vfio_device_bind_iommufd, &bind)),
            GetParam() ? Errno::einval : Errno::enotty)
      << "of a file got from a group";
}

INSTANTIATE_TEST_SUITE_P(Both, Capability, testing::Bool(),
                         [](const auto& given) { return given.param ? "Present" : "Absent"; });

}  // namespace
}  // namespace vcpr::machine
