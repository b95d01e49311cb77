// What no process can ask of an iommufd: where a device's DMA goes, what holds what, and the accounts without the
// kernel's defects.
#include "engine/os/abi/iommufd.hpp"

#include <array>
#include <gtest/gtest.h>

#include "engine/os/abi.hpp"
#include "engine/os/abi/vfio.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/iommu.hpp"
#include "properties/machine/truth.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {
namespace {

using os::Errno;
namespace abi = os::abi;
namespace request = abi::request;

constexpr std::uint64_t kIova = 0x100000;
constexpr std::uint32_t kRead = abi::iommu_ioas_map_fixed_iova | abi::iommu_ioas_map_readable;
constexpr std::uint32_t kBoth = kRead | abi::iommu_ioas_map_writeable;

/// A process with an edu bound to an iommufd as device 2, and IOAS 1.
struct Host {
  explicit Host(const Switches& switches = {}) : machine(switches), process(machine.spawn()), k(process.kernel()) {
    machine.plug({DeviceModel::edu, 1, "0000:00:05.0"});
    iommufd = *k.open("/dev/iommu", abi::o_rdwr);
    cdev = *k.open("/dev/vfio/devices/vfio0", abi::o_rdwr);
    EXPECT_EQ(alloc_ioas(), 1u);
    abi::vfio_device_bind_iommufd bind{sizeof bind, 0, iommufd, 0, 0};
    EXPECT_TRUE(k.ioctl(cdev, request::vfio_device_bind_iommufd, &bind));
    file = *k.memfd_create("guest", 0);
    EXPECT_TRUE(k.ftruncate(file, 4 * kPageBytes));
  }

  std::uint32_t alloc_ioas() {
    abi::iommu_ioas_alloc argument{sizeof argument, 0, 0};
    EXPECT_TRUE(k.ioctl(iommufd, request::iommu_ioas_alloc, &argument));
    return argument.out_ioas_id;
  }
  os::Result<int> attach(std::uint32_t id = 1) {
    abi::vfio_device_attach_iommufd_pt argument{sizeof argument, 0, id, 0};
    return k.ioctl(cdev, request::vfio_device_attach_iommufd_pt, &argument);
  }
  os::Result<int> map_file(std::uint64_t iova, std::uint64_t pages, std::uint32_t flags = kBoth,
                           std::uint32_t ioas = 1) {
    abi::iommu_ioas_map_file argument{sizeof argument, flags, ioas, file, 0, pages * kPageBytes, iova};
    return k.ioctl(iommufd, request::iommu_ioas_map_file, &argument);
  }
  os::Result<int> map(os::UserAddr address, std::uint64_t pages) {
    abi::iommu_ioas_map argument{sizeof argument, kBoth, 1, 0, address.value(), pages * kPageBytes, kIova};
    return k.ioctl(iommufd, request::iommu_ioas_map, &argument);
  }
  os::Result<int> unmap_all() {
    abi::iommu_ioas_unmap argument{sizeof argument, 1, 0, ~std::uint64_t{0}};
    return k.ioctl(iommufd, request::iommu_ioas_unmap, &argument);
  }
  os::Result<int> change_process(Process& by) {
    abi::iommu_ioas_change_process argument{sizeof argument, 0};
    return by.kernel().ioctl(iommufd, request::iommu_ioas_change_process, &argument);
  }
  bool dma_writes(std::uint64_t iova, char byte) {
    const auto value = static_cast<std::byte>(byte);
    return dma_write(machine.impl(), *machine.impl().devices, iova, {&value, 1});
  }
  bool dma_reads(std::uint64_t iova) {
    std::byte value{};
    return dma_read(machine.impl(), *machine.impl().devices, iova, {&value, 1});
  }
  char byte_of_file(std::uint64_t offset) {
    std::byte value{};
    EXPECT_EQ(k.pread(file, {&value, 1}, offset), 1u);
    return static_cast<char>(value);
  }

  Machine machine;
  Process& process;
  os::Kernel& k;
  int iommufd = -1, cdev = -1, file = -1;
};

TEST(Iommufd, DmaGoesThroughTheDomainAndOnlyWithItsRights) {
  Host h;
  ASSERT_TRUE(h.map_file(kIova, 2));
  EXPECT_FALSE(h.dma_writes(kIova, 'x')) << "nothing is attached";
  ASSERT_TRUE(h.attach());
  EXPECT_TRUE(h.dma_writes(kIova + kPageBytes + 7, 'x'));
  EXPECT_EQ(h.byte_of_file(kPageBytes + 7), 'x');
  EXPECT_FALSE(h.dma_writes(kIova + 2 * kPageBytes, 'x'));
  ASSERT_TRUE(h.map_file(kIova + 0x100000, 1, kRead));
  EXPECT_TRUE(h.dma_reads(kIova + 0x100000));
  EXPECT_FALSE(h.dma_writes(kIova + 0x100000, 'x'));
  ASSERT_TRUE(h.unmap_all());
  EXPECT_FALSE(h.dma_writes(kIova, 'x'));
}

TEST(Iommufd, ReplaceMovesTheDeviceToTheOtherAddressSpace) {
  Host h;
  ASSERT_EQ(h.alloc_ioas(), 3u);
  ASSERT_TRUE(h.map_file(kIova, 1));
  ASSERT_TRUE(h.map_file(2 * kIova, 1, kBoth, 3));
  ASSERT_TRUE(h.attach(1));
  EXPECT_TRUE(h.dma_writes(kIova, 'x'));
  ASSERT_TRUE(h.attach(3));
  EXPECT_FALSE(h.dma_writes(kIova, 'x'));
  EXPECT_TRUE(h.dma_writes(2 * kIova, 'y'));
}

TEST(Iommufd, PinnedMemoryOutlivesItsMappingAndItsProcess) {
  Host h;
  const auto memory =
      *h.k.mmap(os::UserAddr(), kPageBytes, abi::prot_read | abi::prot_write, abi::map_shared, h.file, 0);
  ASSERT_TRUE(h.attach());
  ASSERT_TRUE(h.map(memory, 1));
  Process& heir = h.machine.fork(h.process);
  h.process.kill();
  EXPECT_TRUE(h.dma_writes(kIova, 'x'));
  std::byte value{};
  EXPECT_EQ(heir.kernel().pread(h.file, {&value, 1}, 0), 1u);
  EXPECT_EQ(static_cast<char>(value), 'x');
}

TEST(Iommufd, CopiesShareTheirPages) {
  Host h;
  const auto memory = *h.k.mmap(os::UserAddr(), 4 * kPageBytes, abi::prot_read | abi::prot_write,
                                abi::map_private | abi::map_anonymous, -1, 0);
  ASSERT_TRUE(h.attach());
  ASSERT_TRUE(h.map(memory, 4));
  ASSERT_TRUE(h.k.munmap(memory, 4 * kPageBytes));
  abi::iommu_ioas_copy copy{sizeof copy, kBoth, 1, 1, kPageBytes, 4 * kIova, kIova + 2 * kPageBytes};
  ASSERT_TRUE(h.k.ioctl(h.iommufd, request::iommu_ioas_copy, &copy)) << "the pages are pinned, the address is gone";
  ASSERT_TRUE(h.dma_writes(kIova + 2 * kPageBytes, 'x'));
  std::byte value{};
  ASSERT_TRUE(dma_read(h.machine.impl(), *h.machine.impl().devices, 4 * kIova, {&value, 1}));
  EXPECT_EQ(static_cast<char>(value), 'x');
}

TEST(Iommufd, LivesAsLongAsADeviceIsBound) {
  Host h;
  const Truth truth(h.machine);
  const std::uint32_t context = truth.description_of(h.process, h.iommufd);
  EXPECT_EQ(truth.description(context).references, 3u) << "its descriptor, the device's file, the DEVICE object";
  ASSERT_TRUE(h.map_file(kIova, 1));
  ASSERT_TRUE(h.attach());
  ASSERT_TRUE(h.k.close(h.iommufd));
  EXPECT_TRUE(h.dma_writes(kIova, 'x'));
  ASSERT_TRUE(h.k.close(h.cdev));
  EXPECT_FALSE(truth.description(context).is_open());
  EXPECT_FALSE(h.dma_writes(kIova, 'x'));
  EXPECT_EQ(h.process.pinned_pages(), 0u);
  EXPECT_EQ(h.machine.impl().user_locked_pages, 0u);
}

TEST(Iommufd, WithoutTheDefectsEveryAccountMoves) {
  Switches switches;
  switches.ipc_lock = true;
  switches.change_process_forgets_privileged = false;
  Host h(switches);
  ASSERT_TRUE(h.attach());
  ASSERT_TRUE(h.map_file(kIova, 4));
  Process& heir = h.machine.fork(h.process);
  ASSERT_TRUE(h.change_process(heir));
  EXPECT_EQ(h.process.pinned_pages(), 0u);
  EXPECT_EQ(heir.pinned_pages(), 4u);
  ASSERT_TRUE(h.unmap_all());
  EXPECT_EQ(heir.pinned_pages(), 0u);
}

TEST(Iommufd, ArgumentsOfNoUseAreErrorsOnly) {
  Host h;
  std::array<std::uint32_t, 16> argument{};
  for (std::uint64_t number = 0x80; number < 256; ++number) {
    EXPECT_FALSE(h.k.ioctl(h.iommufd, 0x3b00 | number, kBadPointer)) << number;
    argument.fill(~std::uint32_t{0});
    EXPECT_FALSE(h.k.ioctl(h.iommufd, 0x3b00 | number, argument.data())) << number;
    argument[0] = sizeof argument;
    EXPECT_FALSE(h.k.ioctl(h.iommufd, 0x3b00 | number, argument.data())) << number;
  }
  EXPECT_EQ(h.k.ioctl(h.cdev, request::vfio_device_attach_iommufd_pt, kBadPointer).error(), Errno::efault);
  EXPECT_EQ(h.k.ioctl(h.cdev, request::vfio_device_detach_iommufd_pt, nullptr).error(), Errno::efault);
}

/// Every call that names a buffer, with all of them here or there.
std::uint64_t hash_with(std::array<std::uint64_t, 16>& buffer) {
  Host h;
  EXPECT_TRUE(h.attach());
  const auto address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(buffer.data()));
  const auto call = [&](int fd, std::uint64_t code, auto argument) { return h.k.ioctl(fd, code, &argument); };
  EXPECT_TRUE(call(h.iommufd, request::iommu_ioas_iova_ranges, abi::iommu_ioas_iova_ranges{32, 1, 8, 0, address, 0}));
  EXPECT_TRUE(call(h.iommufd, request::iommu_ioas_allow_iovas, abi::iommu_ioas_allow_iovas{24, 1, 1, 0, address}));
  EXPECT_TRUE(call(h.iommufd, request::iommu_get_hw_info, abi::iommu_hw_info{40, 0, 2, 24, address, {}, 0, {}, 0}));
  (void)call(h.iommufd, request::iommu_hwpt_alloc, abi::iommu_hwpt_alloc{48, 0, 2, 1, 0, 0, 1, 8, address, 0, 0});
  (void)call(h.iommufd, request::iommu_hwpt_invalidate, abi::iommu_hwpt_invalidate{32, 3, address, 0, 8, 1, 0});
  (void)call(h.iommufd, request::iommu_viommu_alloc, abi::iommu_viommu_alloc{40, 0, 0, 2, 3, 0, 8, 0, address});
  (void)call(h.iommufd, request::iommu_hwpt_get_dirty_bitmap,
             abi::iommu_hwpt_get_dirty_bitmap{48, 3, 0, 0, kIova, kPageBytes, kPageBytes, address});
  (void)call(h.cdev, request::vfio_device_bind_iommufd, abi::vfio_device_bind_iommufd{24, 1, h.iommufd, 0, address});
  return h.machine.hash();
}

TEST(Iommufd, TheTraceHoldsNoAddressesOfTheCaller) {
  std::array<std::uint64_t, 16> here{};
  std::array<std::uint64_t, 16> there{};
  EXPECT_EQ(hash_with(here), hash_with(there));
}

}  // namespace
}  // namespace vcpr::machine
