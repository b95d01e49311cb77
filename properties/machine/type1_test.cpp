// What no process can ask of type1: where a device's DMA goes, what holds what, what the truth keeps.
#include "properties/machine/vfio/type1.hpp"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/os/abi.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/truth.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {
namespace {

using os::Errno;
namespace abi = os::abi;
namespace request = abi::request;

constexpr std::uint64_t kIova = 0x100000;
constexpr std::uint32_t kBoth = abi::vfio_dma_map_flag_read | abi::vfio_dma_map_flag_write;
constexpr std::uint32_t kVaddr = abi::vfio_dma_map_flag_vaddr;
constexpr std::uint32_t kUnmapAll = abi::vfio_dma_unmap_flag_all;
constexpr std::uint32_t kUnmapVaddr = abi::vfio_dma_unmap_flag_vaddr;

/// A host with an edu in group 1 and a mediated device in group 2, and one process with a container.
struct Host {
  Host() : process(machine.spawn()), k(process.kernel()) {
    machine.plug({DeviceModel::edu, 1, "0000:00:05.0"});
    machine.plug({DeviceModel::mediated, 2, "00112233-4455-6677-8899-aabbccddeeff"});
    container = *k.open("/dev/vfio/vfio", abi::o_rdwr);
    memory = *k.mmap(os::UserAddr(), 16 * kPageBytes, abi::prot_read | abi::prot_write,
                     abi::map_shared | abi::map_anonymous, -1, 0);
  }

  int open_group(int number) {
    return k.open(("/dev/vfio/" + std::to_string(number)).c_str(), abi::o_rdwr).value_or(-1);
  }
  os::Result<int> attach(int group) { return k.ioctl(group, request::vfio_group_set_container, &container); }
  int attached(int number) {
    const int group = open_group(number);
    EXPECT_TRUE(attach(group));
    return group;
  }
  void set_iommu() {
    EXPECT_TRUE(k.ioctl(container, request::vfio_set_iommu, reinterpret_cast<void*>(std::uintptr_t{3})));
  }
  os::Result<int> map(std::uint64_t iova, os::UserAddr vaddr, std::uint64_t pages, std::uint32_t flags = kBoth) {
    abi::vfio_iommu_type1_dma_map wanted{sizeof wanted, flags, vaddr.value(), iova, pages * kPageBytes};
    return k.ioctl(container, request::vfio_iommu_map_dma, &wanted);
  }
  Errno unmap(std::uint64_t iova, std::uint64_t pages, std::uint32_t flags = 0) {
    abi::vfio_iommu_type1_dma_unmap wanted{sizeof wanted, flags, iova, pages * kPageBytes};
    const auto done = k.ioctl(container, request::vfio_iommu_unmap_dma, &wanted);
    return done ? Errno::none : done.error();
  }
  /// The dirty bits of the first 64 pages from kIova.
  std::uint64_t dirty() {
    std::uint64_t word = 0;
    struct {
      abi::vfio_iommu_type1_dirty_bitmap header;
      abi::vfio_iommu_type1_dirty_bitmap_get range;
    } argument{};
    argument.header = {sizeof argument, abi::vfio_iommu_dirty_pages_flag_get_bitmap};
    argument.range = {kIova, 64 * kPageBytes, {kPageBytes, sizeof word, &word}};
    EXPECT_TRUE(k.ioctl(container, request::vfio_iommu_dirty_pages, &argument));
    return word;
  }
  void track_dirty() {
    abi::vfio_iommu_type1_dirty_bitmap start{sizeof start, abi::vfio_iommu_dirty_pages_flag_start};
    EXPECT_TRUE(k.ioctl(container, request::vfio_iommu_dirty_pages, &start));
  }

  VfioDevice& device(std::uint32_t number) { return *find_cdev(machine.impl(), number); }
  bool write(std::uint32_t number, std::uint64_t iova, std::string_view text) {
    return dma_write(machine.impl(), device(number), iova, std::as_bytes(std::span(text)));
  }
  std::string read(std::uint32_t number, std::uint64_t iova, std::size_t bytes) {
    std::string text(bytes, '\0');
    if (!dma_read(machine.impl(), device(number), iova, std::as_writable_bytes(std::span(text)))) return "fault";
    return text;
  }
  static std::string load(Process& from, os::UserAddr address, std::size_t bytes) {
    std::string text(bytes, '\0');
    return from.load(address, std::as_writable_bytes(std::span(text))) ? text : "fault";
  }

  Machine machine;
  Process& process;
  os::Kernel& k;
  int container = -1;
  os::UserAddr memory;
};

constexpr std::uint32_t kEdu = 0;
constexpr std::uint32_t kMediated = 1;

TEST(Type1, DmaReachesWhatIsMappedAndNothingElse) {
  Host host;
  EXPECT_FALSE(host.write(kEdu, kIova, "x")) << "blocked or the host's own";
  const int group = host.attached(1);
  host.set_iommu();
  ASSERT_TRUE(host.map(kIova, host.memory, 2, kBoth));
  ASSERT_TRUE(host.map(kIova + 2 * kPageBytes, host.memory + 4 * kPageBytes, 1, abi::vfio_dma_map_flag_read));
  EXPECT_TRUE(host.write(kEdu, kIova + kPageBytes - 2, "across"));
  EXPECT_EQ(Host::load(host.process, host.memory + (kPageBytes - 2), 6), "across");
  EXPECT_EQ(host.read(kEdu, kIova + kPageBytes, 4), "ross");
  EXPECT_FALSE(host.write(kEdu, kIova + 2 * kPageBytes, "no")) << "read-only";
  EXPECT_FALSE(host.write(kEdu, kIova + 3 * kPageBytes - 1, "xy")) << "read-only, then unmapped";
  EXPECT_EQ(host.read(kEdu, kIova + 3 * kPageBytes - 1, 2), "fault");
  EXPECT_TRUE(host.k.ioctl(group, request::vfio_group_unset_container, nullptr));
  EXPECT_FALSE(host.write(kEdu, kIova, "x"));
}

TEST(Type1, TheTruthKeepsEveryAccessAndEveryChange) {
  Host host;
  (void)host.attached(1);
  host.set_iommu();
  (void)host.map(kIova, host.memory, 2);
  (void)host.unmap(0, 0, kUnmapAll | kUnmapVaddr);
  (void)host.map(kIova, host.memory + kPageBytes, 2, kVaddr);
  (void)host.write(kEdu, kIova + kPageBytes - 1, "ab");
  (void)host.write(kEdu, 0, "c");
  (void)host.unmap(kIova, 2);
  const Truth truth(host.machine);
  std::vector<IovaChangeKind> kinds;
  truth.iova_changes().for_each([&](const IovaChange& each) {
    kinds.push_back(each.kind);
    EXPECT_EQ(each.size, 2 * kPageBytes);
    EXPECT_EQ(each.process, &host.process);
  });
  using enum IovaChangeKind;
  EXPECT_EQ(kinds, (std::vector{mapped, vaddr_invalidated, vaddr_updated, unmapped}));
  std::vector<std::string> accesses;
  truth.dma().for_each([&](const DmaAccess& each) {
    accesses.push_back(std::to_string(each.iova) + " " + std::to_string(each.bytes) + " " + std::to_string(each.page) +
                       (each.done ? "" : " fault"));
  });
  EXPECT_EQ(accesses, (std::vector<std::string>{"1052671 1 0", "1052672 1 1", "0 1 0 fault"}));
}

TEST(Type1, PinsOutliveTheMappingTheImageAndTheProcess) {
  Host host;
  const int fd = *host.k.memfd_create("ram", abi::mfd_allow_sealing);
  ASSERT_TRUE(host.k.ftruncate(fd, 2 * kPageBytes));
  const auto ram =
      *host.k.mmap(os::UserAddr(), 2 * kPageBytes, abi::prot_read | abi::prot_write, abi::map_shared, fd, 0);
  (void)host.attached(1);
  host.set_iommu();
  ASSERT_TRUE(host.map(kIova, ram, 2));
  ASSERT_TRUE(host.map(kIova + 2 * kPageBytes, host.memory, 1));
  Process& heir = host.machine.fork(host.process);
  ASSERT_TRUE(host.k.munmap(ram, 2 * kPageBytes));
  EXPECT_TRUE(host.write(kEdu, kIova, "after munmap"));
  EXPECT_EQ(Host::load(heir, ram, 12), "after munmap");
  EXPECT_EQ(heir.kernel().fcntl(fd, abi::f_add_seals, abi::seal_write).error(), Errno::ebusy);
  host.process.kill();
  EXPECT_TRUE(host.write(kEdu, kIova, "after death!"));
  EXPECT_TRUE(host.write(kEdu, kIova + 2 * kPageBytes, "x"));
  EXPECT_EQ(Host::load(heir, ram, 12), "after death!");
  abi::vfio_iommu_type1_dma_unmap all{sizeof all, kUnmapAll, 0, 0};
  EXPECT_TRUE(heir.kernel().ioctl(host.container, request::vfio_iommu_unmap_dma, &all));
  EXPECT_EQ(all.size, 3 * kPageBytes);
  EXPECT_FALSE(host.write(kEdu, kIova, "x"));
  EXPECT_EQ(heir.locked_pages(), 0u);
}

TEST(Type1, AnUpdatedVaddrLeavesTheDeviceWhereItWas) {
  Host host;
  (void)host.attached(1);
  host.set_iommu();
  ASSERT_TRUE(host.map(kIova, host.memory, 1));
  ASSERT_EQ(host.unmap(0, 0, kUnmapAll | kUnmapVaddr), Errno::none);
  EXPECT_TRUE(host.write(kEdu, kIova, "while invalid"));
  ASSERT_TRUE(host.map(kIova, os::UserAddr(0x10000), 1, kVaddr));
  EXPECT_EQ(host.read(kEdu, kIova, 13), "while invalid");
  EXPECT_EQ(Host::load(host.process, host.memory, 13), "while invalid");
}

TEST(Type1, AnEmulatedGroupRecordsWithoutPinning) {
  Host host;
  (void)host.attached(2);
  host.set_iommu();
  ASSERT_TRUE(host.map(kIova, os::UserAddr(0x10000), 1)) << "nothing is looked up";
  ASSERT_TRUE(host.map(0xfee00000, host.memory, 1)) << "nor are there windows";
  EXPECT_EQ(host.process.locked_pages(), 0u);
  EXPECT_EQ(host.unmap(0, 1, kUnmapAll | kUnmapVaddr), Errno::ebusy) << "before the range is looked at";
  EXPECT_EQ(*host.k.ioctl(host.container, request::vfio_check_extension,
                          reinterpret_cast<void*>(std::uintptr_t{abi::vfio_update_vaddr})),
            0);
  EXPECT_FALSE(host.write(kMediated, kIova, "x"));
  EXPECT_TRUE(host.write(kMediated, 0xfee00000, "x"));
  EXPECT_EQ(Host::load(host.process, host.memory, 1), "x");
  ASSERT_TRUE(host.k.munmap(host.memory, kPageBytes));
  EXPECT_FALSE(host.write(kMediated, 0xfee00000, "x")) << "no pin";
  abi::vfio_iommu_type1_info info;
  info.argsz = sizeof info;
  ASSERT_TRUE(host.k.ioctl(host.container, request::vfio_iommu_get_info, &info));
  EXPECT_EQ(info.argsz, sizeof info + 32 + 16) << "no iova ranges";
}

TEST(Type1, APhysicalGroupPinsWhatAnEmulatedOneHadRecorded) {
  Host host;
  (void)host.attached(2);
  host.set_iommu();
  ASSERT_TRUE(host.map(kIova, host.memory, 2));
  ASSERT_TRUE(host.map(0xfee00000, host.memory, 1));
  const int group = host.open_group(1);
  EXPECT_EQ(host.attach(group).error(), Errno::einval) << "a mapping in the MSI window";
  ASSERT_EQ(host.unmap(0xfee00000, 1), Errno::none);
  ASSERT_TRUE(host.map(kIova + 2 * kPageBytes, os::UserAddr(0x10000), 1));
  EXPECT_EQ(host.attach(group).error(), Errno::efault);
  EXPECT_EQ(host.process.locked_pages(), 0u) << "what was pinned before it is let go";
  ASSERT_EQ(host.unmap(kIova + 2 * kPageBytes, 1), Errno::none);
  ASSERT_TRUE(host.attach(group));
  EXPECT_EQ(host.process.locked_pages(), 2u);
  EXPECT_TRUE(host.write(kEdu, kIova, "x"));
  ASSERT_TRUE(host.k.close(group));
  EXPECT_EQ(host.process.locked_pages(), 0u);
  EXPECT_FALSE(host.write(kEdu, kIova, "x"));
  EXPECT_TRUE(host.write(kMediated, kIova, "y"));
  EXPECT_EQ(host.unmap(kIova, 2), Errno::none) << "the mapping stayed";
}

TEST(Type1, OnlyWhatAnEmulatedDeviceWroteIsDirty) {
  Host host;
  (void)host.attached(2);
  host.set_iommu();
  ASSERT_TRUE(host.map(kIova, host.memory, 8));
  host.track_dirty();
  EXPECT_EQ(host.dirty(), 0u);
  EXPECT_TRUE(host.write(kMediated, kIova + 3 * kPageBytes - 1, "ab"));
  EXPECT_EQ(host.read(kMediated, kIova + 5 * kPageBytes, 1), std::string(1, '\0'));
  EXPECT_EQ(host.dirty(), 0b1100u);
  EXPECT_EQ(host.dirty(), 0u) << "reading takes it";
  (void)host.attached(1);
  EXPECT_EQ(host.dirty(), 0xffu) << "a physical device cannot tell";
}

TEST(Type1, AnOpenDeviceHoldsTheGroupsFile) {
  Host host;
  const Truth truth(host.machine);
  const int group = host.attached(1);
  host.set_iommu();
  const std::uint32_t id = truth.description_of(host.process, group);
  const int device = *host.k.ioctl(group, request::vfio_group_get_device_fd, std::string("0000:00:05.0").data());
  EXPECT_EQ(truth.description(id).references, 2u);
  ASSERT_TRUE(host.k.close(group));
  ASSERT_TRUE(host.k.close(host.container));
  EXPECT_TRUE(truth.description(id).is_open());
  ASSERT_TRUE(host.k.close(device));
  EXPECT_FALSE(truth.description(id).is_open());
  EXPECT_EQ(host.device(kEdu).group.owner, nullptr);
  EXPECT_NE(host.open_group(1), -1);
}

TEST(Type1, AHugeGuestIsOneRun) {
  Host host;
  host.process.set_memlock(0, true);
  (void)host.attached(1);
  host.set_iommu();
  constexpr std::uint64_t kPages = (std::uint64_t{64} << 30) / kPageBytes;
  const int flags = abi::map_private | abi::map_anonymous;
  const auto ram = *host.k.mmap(os::UserAddr(), kPages * kPageBytes, abi::prot_read | abi::prot_write, flags, -1, 0);
  ASSERT_TRUE(host.map(std::uint64_t{4} << 30, ram, kPages));
  EXPECT_EQ(host.process.locked_pages(), kPages);
  EXPECT_TRUE(host.write(kEdu, std::uint64_t{67} << 30, "far"));
  EXPECT_EQ(Host::load(host.process, ram + (std::uint64_t{63} << 30), 3), "far");
}

TEST(Type1, BadPointersFaultEverywhere) {
  Host host;
  const int group = host.attached(1);
  host.set_iommu();
  for (const std::uint64_t each : {request::vfio_iommu_get_info, request::vfio_iommu_map_dma,
                                   request::vfio_iommu_unmap_dma, request::vfio_iommu_dirty_pages})
    for (void* bad : {static_cast<void*>(nullptr), kBadPointer})
      EXPECT_EQ(host.k.ioctl(host.container, each, bad).error(), Errno::efault);
  for (const std::uint64_t each :
       {request::vfio_group_get_status, request::vfio_group_set_container, request::vfio_group_get_device_fd})
    EXPECT_EQ(host.k.ioctl(group, each, kBadPointer).error(), Errno::efault);
  ASSERT_TRUE(host.map(kIova, host.memory, 1));
  host.track_dirty();
  struct {
    abi::vfio_iommu_type1_dirty_bitmap header;
    abi::vfio_iommu_type1_dirty_bitmap_get range;
  } argument{};
  argument.header = {sizeof argument, abi::vfio_iommu_dirty_pages_flag_get_bitmap};
  argument.range = {kIova, kPageBytes, {kPageBytes, 8, nullptr}};
  EXPECT_EQ(host.k.ioctl(host.container, request::vfio_iommu_dirty_pages, &argument).error(), Errno::efault);
}

TEST(Type1, TheTraceHoldsNoAddressesOfTheCaller) {
  const auto hash_with = [](std::uint64_t& bitmap) {
    Host host;
    (void)host.attached(1);
    host.set_iommu();
    EXPECT_TRUE(host.map(kIova, host.memory, 2));
    host.track_dirty();
    const abi::vfio_bitmap bits{kPageBytes, sizeof bitmap, &bitmap};
    struct {
      abi::vfio_iommu_type1_dirty_bitmap header;
      abi::vfio_iommu_type1_dirty_bitmap_get range;
    } get{{sizeof get, abi::vfio_iommu_dirty_pages_flag_get_bitmap}, {kIova, 2 * kPageBytes, bits}};
    EXPECT_TRUE(host.k.ioctl(host.container, request::vfio_iommu_dirty_pages, &get));
    struct {
      abi::vfio_iommu_type1_dma_unmap range;
      abi::vfio_bitmap bits;
    } unmap{{sizeof unmap, abi::vfio_dma_unmap_flag_get_dirty_bitmap, kIova, 2 * kPageBytes}, bits};
    EXPECT_TRUE(host.k.ioctl(host.container, request::vfio_iommu_unmap_dma, &unmap));
    return host.machine.hash();
  };
  std::uint64_t here = 0;
  std::uint64_t there = 0;
  EXPECT_EQ(hash_with(here), hash_with(there));
}

}  // namespace
}  // namespace vcpr::machine
