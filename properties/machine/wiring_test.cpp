// Proves that the truth says what is wired to what: what invariants on mappings, triggers, irqfds and ids read.
#include "properties/machine/wiring.hpp"

#include <gtest/gtest.h>
#include <string>

#include "engine/os/abi.hpp"
#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/kvm.hpp"
#include "properties/machine/device_testing.hpp"
#include "properties/machine/pci/guest.hpp"
#include "properties/machine/truth.hpp"
#include "properties/machine/vfio/group.hpp"
#include "properties/machine/vfio/type1.hpp"

namespace vcpr::machine {
namespace {

namespace abi = os::abi;
namespace request = abi::request;

constexpr std::uint64_t kIova = 0x100000;
constexpr std::uint32_t kTrigger = abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_trigger;

/// A host with an igb and an edu, and a process with four pages of a memfd.
struct Host {
  Host() : process(machine.spawn()), k(process.kernel()), truth(machine) {
    machine.plug({DeviceModel::igb, 1, "0000:00:05.0"});
    machine.plug({DeviceModel::edu, 2, "0000:00:06.0"});
    file = *k.memfd_create("ram", 0);
    EXPECT_TRUE(k.ftruncate(file, 4 * kPageBytes));
    ram = *k.mmap(os::UserAddr(), 4 * kPageBytes, abi::prot_read | abi::prot_write, abi::map_shared, file, 0);
  }

  std::uint32_t id(int fd) const { return truth.description_of(process, fd); }
  std::uint64_t inode() const { return truth.description(id(file)).inode; }
  template <class Argument>
  Argument call(int fd, std::uint64_t code, Argument argument) {
    EXPECT_TRUE(k.ioctl(fd, code, &argument)) << code;
    return argument;
  }
  void set_up_container() {
    container = *k.open("/dev/vfio/vfio", abi::o_rdwr);
    group = *k.open("/dev/vfio/1", abi::o_rdwr);
    (void)call(group, request::vfio_group_set_container, container);
    EXPECT_TRUE(k.ioctl(container, request::vfio_set_iommu, reinterpret_cast<void*>(std::uintptr_t{3})));
  }
  void map(std::uint64_t page, std::uint64_t pages, std::uint32_t flags) {
    (void)call(container, request::vfio_iommu_map_dma,
               abi::vfio_iommu_type1_dma_map{32, flags, ram.value() + page * kPageBytes, kIova, pages * kPageBytes});
  }
  void invalidate() {
    constexpr std::uint32_t flags = abi::vfio_dma_unmap_flag_vaddr | abi::vfio_dma_unmap_flag_all;
    (void)call(container, request::vfio_iommu_unmap_dma, abi::vfio_iommu_type1_dma_unmap{24, flags, 0, 0});
  }
  std::vector<IovaChangeKind> changes() const {
    std::vector<IovaChangeKind> kinds;
    truth.iova_changes().for_each([&](const IovaChange& each) { kinds.push_back(each.kind); });
    return kinds;
  }

  Machine machine;
  Process& process;
  os::Kernel& k;
  Truth truth;
  int file = -1, container = -1, group = -1;
  os::UserAddr ram;
};

TEST(Wiring, TellsWhatAContainerMapsAndWhoseVaddrItIs) {
  Host h;
  h.set_up_container();
  h.map(1, 2, abi::vfio_dma_map_flag_read);
  ASSERT_EQ(h.truth.mappings().size(), 1u);
  MappingFact fact = h.truth.mappings().front();
  EXPECT_EQ(fact.space, h.truth.groups().front().type1_space);
  EXPECT_EQ(fact.iova, kIova);
  EXPECT_EQ(fact.size, 2 * kPageBytes);
  EXPECT_TRUE(fact.may_read && !fact.may_write && fact.is_pinned && fact.vaddr_valid && fact.owner_alive);
  EXPECT_EQ(fact.memory, h.inode());
  EXPECT_EQ(fact.page, 1u);
  EXPECT_EQ(fact.vaddr, h.ram.value() + kPageBytes);
  EXPECT_EQ(fact.owner, &h.process);
  EXPECT_EQ(page_behind(h.process, fact.vaddr), (PageFact{fact.memory, fact.page}));
  h.invalidate();
  EXPECT_FALSE(h.truth.mappings().front().vaddr_valid);
  Process& heir = h.machine.fork(h.process);
  abi::vfio_iommu_type1_dma_map update{32, abi::vfio_dma_map_flag_vaddr, h.ram.value(), kIova, 2 * kPageBytes};
  ASSERT_TRUE(heir.kernel().ioctl(h.container, request::vfio_iommu_map_dma, &update));
  fact = h.truth.mappings().front();
  EXPECT_TRUE(fact.vaddr_valid);
  EXPECT_EQ(fact.owner, &heir);
  EXPECT_EQ(fact.vaddr, h.ram.value());
  EXPECT_EQ(fact.page, 1u) << "where the device goes stays";
  EXPECT_NE(page_behind(heir, fact.vaddr), (PageFact{fact.memory, fact.page})) << "which invariants must see";
  heir.kill();
  EXPECT_FALSE(h.truth.mappings().front().owner_alive);
}

TEST(Wiring, TellsAPieceOfMemoryByPiece) {
  Host h;
  const int second = *h.k.memfd_create("more", 0);
  ASSERT_TRUE(h.k.ftruncate(second, kPageBytes));
  ASSERT_TRUE(h.k.mmap(h.ram + kPageBytes, kPageBytes, abi::prot_read | abi::prot_write,
                       abi::map_shared | abi::map_fixed, second, 0));
  h.set_up_container();
  h.map(0, 4, abi::vfio_dma_map_flag_write);
  const auto facts = h.truth.mappings();
  ASSERT_EQ(facts.size(), 3u);
  EXPECT_EQ(facts[1].iova, kIova + kPageBytes);
  EXPECT_EQ(facts[1].vaddr, h.ram.value() + kPageBytes);
  EXPECT_EQ(facts[1].memory, h.truth.description(h.id(second)).inode);
  EXPECT_EQ(facts[2].size, 2 * kPageBytes);
  EXPECT_EQ(facts[2].page, 2u);
}

TEST(Wiring, TellsGroupsAndTheirContainer) {
  Host h;
  EXPECT_EQ(h.truth.groups().front().container, 0u);
  h.set_up_container();
  const auto groups = h.truth.groups();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].container, h.id(h.container));
  EXPECT_EQ(groups[1].container, 0u);
  ASSERT_TRUE(h.k.close(h.container));
  EXPECT_EQ(h.truth.groups().front().container, 0u);
  EXPECT_NE(h.truth.groups().front().type1_space, 0u) << "the group keeps it";
}

TEST(Wiring, TellsTheIdsOfABoundDeviceAndWhatItsAddressSpaceMaps) {
  Host h;
  const int iommufd = *h.k.open("/dev/iommu", abi::o_rdwr);
  const int cdev = *h.k.open("/dev/vfio/devices/vfio1", abi::o_rdwr);
  EXPECT_EQ(h.truth.devices()[1].iommufd, 0u);
  const auto ioas = h.call(iommufd, request::iommu_ioas_alloc, abi::iommu_ioas_alloc{12, 0, 0});
  (void)h.call(iommufd, request::iommu_ioas_map_file,
               abi::iommu_ioas_map_file{40, 7, ioas.out_ioas_id, h.file, kPageBytes, 2 * kPageBytes, kIova});
  MappingFact fact = h.truth.mappings().front();
  EXPECT_TRUE(fact.is_file && !fact.is_pinned);
  EXPECT_EQ(fact.memory, h.inode());
  EXPECT_EQ(fact.page, 1u);
  const auto bind =
      h.call(cdev, request::vfio_device_bind_iommufd, abi::vfio_device_bind_iommufd{24, 0, iommufd, 0, 0});
  EXPECT_EQ(h.truth.devices()[1].attached_ioas, 0u);
  const auto attach = h.call(cdev, request::vfio_device_attach_iommufd_pt,
                             abi::vfio_device_attach_iommufd_pt{16, 0, ioas.out_ioas_id, 0});
  const DeviceFact device = h.truth.devices()[1];
  EXPECT_EQ(device.iommufd, h.id(iommufd));
  EXPECT_EQ(device.devid, bind.out_devid);
  EXPECT_EQ(device.attached_hwpt, attach.pt_id);
  EXPECT_EQ(device.attached_ioas, ioas.out_ioas_id);
  EXPECT_TRUE(h.truth.mappings().front().is_pinned);
  Process& heir = h.machine.fork(h.process);
  abi::iommu_ioas_change_process change{8, 0};
  ASSERT_TRUE(heir.kernel().ioctl(iommufd, request::iommu_ioas_change_process, &change));
  EXPECT_EQ(h.truth.mappings().front().owner, &heir);
  (void)h.call(iommufd, request::iommu_ioas_unmap, abi::iommu_ioas_unmap{24, ioas.out_ioas_id, 0, ~std::uint64_t{0}});
  EXPECT_TRUE(h.truth.mappings().empty());
  using enum IovaChangeKind;
  EXPECT_EQ(h.changes(), (std::vector{mapped, pinned, owner_changed, unmapped}));
}

TEST(Wiring, TellsTriggersAndMasks) {
  Host h;
  const int device = open_bare_device(h.machine, h.process, 0);
  const std::array events{*h.k.eventfd(0, 0), *h.k.eventfd(0, 0)};
  ASSERT_TRUE(set_irqs(h.k, device, abi::vfio_pci_msix_irq_index, kTrigger, 1, 2, events));
  ASSERT_TRUE(set_irqs(h.k, device, abi::vfio_pci_err_irq_index, kTrigger, 0, 1, std::span(events).first(1)));
  const std::uint32_t first = h.id(events[0]);
  EXPECT_EQ(h.truth.triggers(), (std::vector<TriggerFact>{{0, abi::vfio_pci_msix_irq_index, 1, first},
                                                          {0, abi::vfio_pci_msix_irq_index, 2, h.id(events[1])},
                                                          {0, abi::vfio_pci_err_irq_index, 0, first}}));
  constexpr std::uint32_t kOff = abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_trigger;
  ASSERT_TRUE(set_irqs(h.k, device, abi::vfio_pci_msix_irq_index, kOff, 0, 0));
  ASSERT_TRUE(set_irqs(h.k, device, abi::vfio_pci_intx_irq_index, kTrigger, 0, 1, events));
  EXPECT_EQ(h.truth.triggers().front(), (TriggerFact{0, abi::vfio_pci_intx_irq_index, 0, first}));
  EXPECT_FALSE(h.truth.devices().front().intx_masked);
  constexpr std::uint32_t kMask = abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_mask;
  ASSERT_TRUE(set_irqs(h.k, device, abi::vfio_pci_intx_irq_index, kMask, 0, 1));
  EXPECT_TRUE(h.truth.devices().front().intx_masked);
}

TEST(Wiring, TellsIrqfds) {
  Host h;
  const int kvm = *h.k.open("/dev/kvm", abi::o_rdwr);
  const int vm = *h.k.ioctl(kvm, request::kvm_create_vm, nullptr);
  ASSERT_TRUE(h.k.ioctl(vm, request::kvm_create_irqchip, nullptr));
  const int edge = *h.k.eventfd(0, 0);
  const int level = *h.k.eventfd(0, 0);
  const int resample = *h.k.eventfd(0, 0);
  (void)h.call(vm, request::kvm_irqfd, abi::kvm_irqfd{.fd = static_cast<std::uint32_t>(edge), .gsi = 30});
  (void)h.call(vm, request::kvm_irqfd,
               abi::kvm_irqfd{.fd = static_cast<std::uint32_t>(level),
                              .gsi = 20,
                              .flags = abi::kvm_irqfd_flag_resample,
                              .resamplefd = static_cast<std::uint32_t>(resample)});
  EXPECT_EQ(h.truth.irqfds(), (std::vector<IrqfdFact>{{h.id(vm), &h.process, h.id(edge), 30, 0},
                                                      {h.id(vm), &h.process, h.id(level), 20, h.id(resample)}}));
  ASSERT_TRUE(h.k.close(vm));
  EXPECT_TRUE(h.truth.irqfds().empty());
}

TEST(Wiring, LogsResetsAndTheCommandRegister) {
  Host h;
  const int device = open_bare_device(h.machine, h.process, 0);
  start_driver(h.machine, 0);
  const std::uint64_t reset_call = h.machine.calls();
  ASSERT_TRUE(h.k.ioctl(device, request::vfio_device_reset, nullptr));
  ASSERT_TRUE(h.k.close(device));
  std::vector<std::string> log;
  bool by_call = false;
  h.truth.device_changes().for_each([&](const DeviceChange& each) {
    const bool is_reset = each.kind == DeviceChangeKind::reset;
    log.push_back(is_reset ? "reset" : std::to_string(each.before) + " to " + std::to_string(each.after));
    by_call |= is_reset && each.call_number == reset_call;
  });
  EXPECT_EQ(log, (std::vector<std::string>{"reset", "3 to 6", "reset", "6 to 3", "reset"}));
  EXPECT_TRUE(by_call);
}

/// Two machines that only differ in the state at their end.
TEST(Wiring, IsInTheHash) {
  Host here;
  Host there;
  here.set_up_container();
  there.set_up_container();
  EXPECT_EQ(here.machine.hash(), there.machine.hash());
  here.map(0, 1, abi::vfio_dma_map_flag_read);
  there.map(0, 1, abi::vfio_dma_map_flag_read);
  EXPECT_EQ(here.machine.hash(), there.machine.hash());
  const auto& type1 = *there.machine.impl().groups->opened->backing->type1();
  const_cast<DmaMapping&>(type1.mappings().at(0)).vaddr_invalid = true;
  EXPECT_NE(here.machine.hash(), there.machine.hash());
}

}  // namespace
}  // namespace vcpr::machine
