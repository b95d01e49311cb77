// Proves that every fault point can be met, that the call then answers what the table says, and that nothing else
// changes than what the table says.
#include "properties/machine/fault.hpp"

#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/os/abi/vfio.hpp"
#include "engine/os/scm_rights.hpp"
#include "properties/machine/device_testing.hpp"
#include "properties/machine/iommu.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::machine {
namespace {

using os::Errno;
namespace abi = os::abi;

constexpr std::uint64_t kPage = 4096;
constexpr std::string_view kText = "ten bytes!";

/// Returns its fault for the next call of the fault's kind, once.
class FaultOnce final : public Schedule {
 public:
  void arm(const FaultRule& rule) { rule_ = &rule; }
  FaultPoint before(const CallSite& site) override {
    if (rule_ == nullptr || site.call != rule_->call) return FaultPoint::none;
    return std::exchange(rule_, nullptr)->point;
  }

 private:
  const FaultRule* rule_ = nullptr;
};

/// A process that has one of everything, so that each call can succeed.
struct Stage {
  Stage() : process(machine.spawn()), k(process.kernel()) {
    machine.set_schedule(&schedule);
    area = *k.mmap(os::UserAddr(), kPage, abi::prot_read, abi::map_private | abi::map_anonymous, -1, 0);
    open_container();
    open_iommufd();
    open_vms();
    memfd = *k.memfd_create("stage", abi::mfd_allow_sealing);
    EXPECT_EQ(k.write(memfd, bytes()), kText.size());
    EXPECT_EQ(k.lseek(memfd, 0, abi::seek_set), 0u);
    counter = *k.eventfd(1, abi::efd_nonblock);
    std::tie(left, right) = *k.socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
    EXPECT_EQ(send(), kText.size());
    listener = *k.socket(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
    EXPECT_TRUE(k.bind(listener, "/run/listener"));
    EXPECT_TRUE(k.listen(listener, 4));
    client = *k.socket(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
    EXPECT_TRUE(k.connect(client, "/run/listener"));
    idle = *k.socket(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
    device = open_bare_device(machine, process, machine.plug({DeviceModel::igb, 1, "0000:00:07.0"}));
  }

  /// With one mapping, whose vaddr is invalid; a second process can give it its own.
  void open_container() {
    machine.plug({DeviceModel::edu, 77, "0000:00:05.0"});
    container = *k.open("/dev/vfio/vfio", abi::o_rdwr);
    group = *k.open("/dev/vfio/77", abi::o_rdwr);
    EXPECT_TRUE(k.ioctl(group, abi::request::vfio_group_set_container, &container));
    EXPECT_TRUE(k.ioctl(container, abi::request::vfio_set_iommu, reinterpret_cast<void*>(std::uintptr_t{3})));
    EXPECT_TRUE(map_dma(k, 0, abi::vfio_dma_map_flag_read));
    abi::vfio_iommu_type1_dma_unmap all{sizeof all, abi::vfio_dma_unmap_flag_all | abi::vfio_dma_unmap_flag_vaddr};
    EXPECT_TRUE(k.ioctl(container, abi::request::vfio_iommu_unmap_dma, &all));
    other = &machine.fork(process);
  }

  /// With an IOAS, whose id is 1, and a device.
  void open_iommufd() {
    const std::string cdev = "/dev/vfio/devices/vfio" + std::to_string(machine.plug({DeviceModel::edu, 2, "edu"}));
    iommufd = *k.open("/dev/iommu", abi::o_rdwr);
    abi::iommu_ioas_alloc ioas{sizeof ioas, 0, 0};
    EXPECT_TRUE(k.ioctl(iommufd, abi::request::iommu_ioas_alloc, &ioas));
    bound = *k.open(cdev.c_str(), abi::o_rdwr);
    abi::vfio_device_bind_iommufd bind{sizeof bind, 0, iommufd, 0, 0};
    EXPECT_TRUE(k.ioctl(bound, abi::request::vfio_device_bind_iommufd, &bind));
  }
  template <class Argument>
  os::Result<int> call_iommufd(std::uint64_t request, Argument argument) {
    return k.ioctl(iommufd, request, &argument);
  }

  os::Result<int> map_dma(os::Kernel& kernel, std::uint64_t iova, std::uint32_t flags) const {
    abi::vfio_iommu_type1_dma_map map{sizeof map, flags, area.value(), iova, kPage};
    return kernel.ioctl(container, abi::request::vfio_iommu_map_dma, &map);
  }
  os::Result<int> start_dirty_tracking() {
    abi::vfio_iommu_type1_dirty_bitmap start{sizeof start, abi::vfio_iommu_dirty_pages_flag_start};
    return k.ioctl(container, abi::request::vfio_iommu_dirty_pages, &start);
  }

  /// A VM without irqchip, and one with it.
  void open_vms() {
    kvm = *k.open("/dev/kvm", abi::o_rdwr);
    bare_vm = *k.ioctl(kvm, abi::request::kvm_create_vm, nullptr);
    vm = *k.ioctl(kvm, abi::request::kvm_create_vm, nullptr);
    EXPECT_TRUE(k.ioctl(vm, abi::request::kvm_create_irqchip, nullptr));
    vcpu = *k.ioctl(vm, abi::request::kvm_create_vcpu, nullptr);
    const int other_vm = *k.ioctl(kvm, abi::request::kvm_create_vm, nullptr);
    abi::kvm_create_device wanted{abi::kvm_dev_type_vfio};
    EXPECT_TRUE(k.ioctl(other_vm, abi::request::kvm_create_device, &wanted));
    kvm_device = static_cast<int>(wanted.fd);
  }
  os::Result<int> create_kvm_device() {
    abi::kvm_create_device wanted{abi::kvm_dev_type_vfio};
    return k.ioctl(vm, abi::request::kvm_create_device, &wanted);
  }
  os::Result<int> link_group() {
    abi::kvm_device_attr add{0, abi::kvm_dev_vfio_file, abi::kvm_dev_vfio_file_add,
                             reinterpret_cast<std::uintptr_t>(&group)};
    return k.ioctl(kvm_device, abi::request::kvm_set_device_attr, &add);
  }
  template <class State>
  os::Result<int> call_with_state(int fd, std::uint64_t request) {
    State state{};
    return k.ioctl(fd, request, &state);
  }
  os::Result<int> assign_irqfd() {
    abi::kvm_irqfd irqfd{static_cast<std::uint32_t>(counter), 5};
    return k.ioctl(vm, abi::request::kvm_irqfd, &irqfd);
  }
  os::Result<int> empty_routes() {
    abi::kvm_irq_routing none;
    return k.ioctl(vm, abi::request::kvm_set_gsi_routing, &none);
  }

  static std::span<const std::byte> bytes() { return std::as_bytes(std::span(kText)); }

  os::Result<std::size_t> send() {
    std::array<std::byte, os::scm_rights_space(4)> control;
    const std::array<std::int32_t, 4> fds{counter, counter, memfd, memfd};
    return k.sendmsg(left, bytes(), os::write_scm_rights(control, fds), abi::msg_nosignal);
  }

  os::Result<std::size_t> receive() {
    std::array<std::byte, 64> data;
    std::array<std::byte, os::scm_rights_space(4)> control;
    const auto received = k.recvmsg(right, data, control, 0);
    if (!received) return std::unexpected(received.error());
    arrived = 0;
    os::for_each_scm_rights(std::span(control).first(received->control), [&](int) { ++arrived; });
    truncated = (received->flags & abi::msg_ctrunc) != 0;
    return received->bytes;
  }

  Machine machine;
  FaultOnce schedule;
  Process& process;
  os::Kernel& k;
  int memfd = -1, counter = -1, left = -1, right = -1, listener = -1, client = -1, idle = -1, device = -1;
  os::UserAddr area;
  int container = -1, group = -1, iommufd = -1, bound = -1;
  int kvm = -1, bare_vm = -1, vm = -1, vcpu = -1, kvm_device = -1;
  Process* other = nullptr;
  std::size_t arrived = 0;
  bool truncated = false;
};

using Outcome = os::Result<std::uint64_t>;

template <class Value>
Outcome outcome(const os::Result<Value>& result) {
  if (!result) return std::unexpected(result.error());
  if constexpr (std::is_integral_v<Value>) return static_cast<std::uint64_t>(*result);
  return 0;
}

Errno error_of(const Outcome& result) {
  return result ? Errno::none : result.error();
}

/// One of the many ioctls.
Outcome ioctl_for(FaultPoint point, Stage& s) {
  constexpr std::uint32_t fixed = abi::iommu_ioas_map_fixed_iova | abi::iommu_ioas_map_readable;
  constexpr std::uint32_t kTrigger = abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_trigger;
  const std::array triggers{s.counter, s.counter};
  switch (point) {
    case FaultPoint::ioctl_ioas_alloc_enomem:
      return outcome(s.call_iommufd(abi::request::iommu_ioas_alloc, abi::iommu_ioas_alloc{12, 0, 0}));
    case FaultPoint::ioctl_ioas_map_enomem:
      return outcome(s.call_iommufd(abi::request::iommu_ioas_map_file,
                                    abi::iommu_ioas_map_file{40, fixed, 1, s.memfd, 0, kPage, 0x10000}));
    case FaultPoint::ioctl_change_process_enomem:
      return outcome(s.call_iommufd(abi::request::iommu_ioas_change_process, abi::iommu_ioas_change_process{8, 0}));
    case FaultPoint::ioctl_map_dma_enomem:
      return outcome(s.map_dma(s.k, kPage, abi::vfio_dma_map_flag_read));
    case FaultPoint::ioctl_update_vaddr_enomem:
    case FaultPoint::ioctl_update_vaddr_eintr:
      return outcome(s.map_dma(s.other->kernel(), 0, abi::vfio_dma_map_flag_vaddr));
    case FaultPoint::ioctl_dirty_start_enomem:
      return outcome(s.start_dirty_tracking());
    case FaultPoint::ioctl_get_device_fd_emfile:
      return outcome(s.k.ioctl(s.group, abi::request::vfio_group_get_device_fd, std::string("0000:00:05.0").data()));
    case FaultPoint::ioctl_attach_pt_enomem: {
      abi::vfio_device_attach_iommufd_pt attach{sizeof attach, 0, 1, 0};
      return outcome(s.k.ioctl(s.bound, abi::request::vfio_device_attach_iommufd_pt, &attach));
    }
    case FaultPoint::ioctl_fault_queue_emfile:
      return outcome(s.call_iommufd(abi::request::iommu_fault_queue_alloc, abi::iommu_fault_alloc{16, 0, 0, 0}));
    case FaultPoint::ioctl_set_irqs_ebusy:
      return outcome(
          set_irqs(s.k, s.device, abi::vfio_pci_intx_irq_index, kTrigger, 0, 1, std::span(triggers).first(1)));
    case FaultPoint::ioctl_set_irqs_enomem:
    case FaultPoint::ioctl_set_irqs_short:
      return outcome(set_irqs(s.k, s.device, abi::vfio_pci_msix_irq_index, kTrigger, 0, 2, triggers));
    case FaultPoint::ioctl_reset_eagain:
      return outcome(s.k.ioctl(s.device, abi::request::vfio_device_reset, nullptr));
    case FaultPoint::ioctl_create_vm_emfile:
    case FaultPoint::ioctl_create_vm_enomem:
      return outcome(s.k.ioctl(s.kvm, abi::request::kvm_create_vm, nullptr));
    case FaultPoint::ioctl_create_vcpu_emfile:
    case FaultPoint::ioctl_create_vcpu_enomem:
      return outcome(s.k.ioctl(s.bare_vm, abi::request::kvm_create_vcpu, nullptr));
    case FaultPoint::ioctl_create_device_emfile:
      return outcome(s.create_kvm_device());
    case FaultPoint::ioctl_irqfd_enomem:
      return outcome(s.assign_irqfd());
    case FaultPoint::ioctl_set_gsi_routing_enomem:
      return outcome(s.empty_routes());
    case FaultPoint::ioctl_type1_info_enomem: {
      abi::vfio_iommu_type1_info info{sizeof info};
      return outcome(s.k.ioctl(s.container, abi::request::vfio_iommu_get_info, &info));
    }
    case FaultPoint::ioctl_kvm_file_add_enomem:
      return outcome(s.link_group());
    case FaultPoint::ioctl_get_lapic_enomem:
      return outcome(s.call_with_state<abi::kvm_lapic_state>(s.vcpu, abi::request::kvm_get_lapic));
    case FaultPoint::ioctl_set_lapic_enomem:
      return outcome(s.call_with_state<abi::kvm_lapic_state>(s.vcpu, abi::request::kvm_set_lapic));
    case FaultPoint::ioctl_get_irqchip_enomem:
      return outcome(s.call_with_state<abi::kvm_irqchip>(s.vm, abi::request::kvm_get_irqchip));
    case FaultPoint::ioctl_set_irqchip_enomem:
      return outcome(s.call_with_state<abi::kvm_irqchip>(s.vm, abi::request::kvm_set_irqchip));
    default:
      ADD_FAILURE() << name(point) << ": no ioctl to meet it";
      return std::unexpected(Errno::enosys);
  }
}

/// A call that meets the fault point, and succeeds without it.
Outcome call_for(const FaultRule& rule, Stage& s) {
  std::array<std::byte, 16> buffer;
  os::PollFd wanted{s.counter, abi::pollin, 0};
  switch (rule.call) {
    case Call::open:
      return outcome(s.k.open("/dev/null", abi::o_rdonly));
    case Call::fcntl:
      return rule.point == FaultPoint::fcntl_emfile ? outcome(s.k.fcntl(s.memfd, abi::f_dupfd, 0))
                                                    : outcome(s.k.fcntl(s.memfd, abi::f_add_seals, abi::seal_write));
    case Call::read:
      return outcome(s.k.read(s.memfd, buffer));
    case Call::write:
      return outcome(s.k.write(s.memfd, Stage::bytes()));
    case Call::pread:
      return outcome(s.k.pread(s.memfd, buffer, 0));
    case Call::pwrite:
      return outcome(s.k.pwrite(s.memfd, Stage::bytes(), 0));
    case Call::ftruncate:
      return outcome(s.k.ftruncate(s.memfd, 1));
    case Call::eventfd:
      return outcome(s.k.eventfd(0, 0));
    case Call::memfd_create:
      return outcome(s.k.memfd_create("new", 0));
    case Call::mmap:
      return outcome(s.k.mmap(os::UserAddr(), kPage, abi::prot_read, abi::map_shared, s.memfd, 0));
    case Call::munmap:
      return outcome(s.k.munmap(s.area, kPage));
    case Call::mprotect:
      return outcome(s.k.mprotect(s.area, kPage, abi::prot_none));
    case Call::socket:
      return outcome(s.k.socket(abi::af_unix, abi::sock_stream, 0));
    case Call::socketpair:
      return outcome(s.k.socketpair(abi::af_unix, abi::sock_stream, 0));
    case Call::bind:
      return outcome(s.k.bind(s.idle, "/run/new"));
    case Call::accept4:
      return outcome(s.k.accept4(s.listener, 0));
    case Call::connect:
      return outcome(s.k.connect(s.idle, "/run/listener"));
    case Call::sendmsg:
      return outcome(s.send());
    case Call::recvmsg:
      return outcome(s.receive());
    case Call::poll:
      return outcome(s.k.poll({&wanted, 1}, {0}));
    case Call::setenv:
      return outcome(s.k.setenv("NEW", "value"));
    case Call::execve:
      return outcome(s.k.execve("/usr/bin/vmm", {}));
    case Call::ioctl:
      return ioctl_for(rule.point, s);
    default:
      ADD_FAILURE() << rule.name << ": no call to meet it";
      return std::unexpected(Errno::enosys);
  }
}

/// Everything that a failed call must leave alone.
std::string snapshot(Stage& s) {
  const Truth truth(s.machine);
  std::string text = std::to_string(truth.descriptors_in_flight()) + " " + std::to_string(s.process.image());
  for (const DescriptionFact& each : truth.descriptions())
    text += "\n" + std::to_string(each.id) + " " + std::to_string(each.references) + " " + std::to_string(each.offset) +
            " " + std::to_string(each.size) + " " + std::to_string(each.seals) + " " + std::to_string(each.counter);
  for (const DescriptorFact& each : truth.descriptors(s.process))
    text += "\n" + std::to_string(each.number) + " " + std::to_string(each.description);
  text += "\nlocked " + std::to_string(s.process.locked_pages()) + " " + std::to_string(s.other->locked_pages());
  for (const auto& [name, value] : truth.environment(s.process)) text += "\n" + name + "=" + value;
  for (const Mapping* each : state_of(s.process).space.mappings())
    text += "\n" + std::to_string(each->start) + " " + std::to_string(each->length) + " " +
            std::to_string(each->protection);
  return text;
}

class Fault : public testing::TestWithParam<FaultRule> {};

TEST_P(Fault, IsMetOnceAndAnswersAsTheTableSays) {
  const FaultRule& rule = GetParam();
  Stage s;
  const std::string before = snapshot(s);
  s.schedule.arm(rule);
  const Outcome faulted = call_for(rule, s);
  EXPECT_EQ(Truth(s.machine).faults().size(), 1u) << "the handler never got there";
  EXPECT_EQ(error_of(faulted), rule.error);
  EXPECT_TRUE(faulted || snapshot(s) == before) << rule.effect << before << " became " << snapshot(s);

  if (rule.call == Call::recvmsg) {
    ASSERT_TRUE(s.send());  // something to receive again
  }
  // Without the fault the same call goes through: what the fault left behind is good to go on with
  const Outcome plain = call_for(rule, s);
  EXPECT_TRUE(plain || plain.error() == Errno::gone) << os::name(error_of(plain));
  EXPECT_EQ(Truth(s.machine).faults().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Every, Fault, testing::ValuesIn(fault_table().begin(), fault_table().end()),
                         [](const auto& each) { return std::string(each.param.name); });

const FaultRule& rule_of(FaultPoint point) {
  return fault_table()[static_cast<std::size_t>(point) - 1];
}

TEST(FaultEffect, AShortWriteWritesTheFirstHalf) {
  for (const FaultPoint point : {FaultPoint::write_short, FaultPoint::pwrite_short}) {
    Stage s;
    ASSERT_TRUE(s.k.ftruncate(s.memfd, 0));
    s.schedule.arm(rule_of(point));
    EXPECT_EQ(call_for(rule_of(point), s), 5u);
    EXPECT_EQ(s.k.fstat(s.memfd)->size, 5u);
  }
}

TEST(FaultEffect, AShortSendTakesAllDescriptorsAlong) {
  Stage s;
  EXPECT_EQ(s.receive(), kText.size());
  s.schedule.arm(rule_of(FaultPoint::sendmsg_short));
  EXPECT_EQ(s.send(), 5u);
  EXPECT_EQ(Truth(s.machine).descriptors_in_flight(), 4u);
  EXPECT_EQ(s.receive(), 5u);
  EXPECT_EQ(s.arrived, 4u);
}

TEST(FaultEffect, AShortReceiveTakesOneByteAndTheDescriptors) {
  Stage s;
  s.schedule.arm(rule_of(FaultPoint::recvmsg_short));
  EXPECT_EQ(s.receive(), 1u);
  EXPECT_EQ(s.arrived, 4u);
  EXPECT_EQ(s.receive(), kText.size() - 1);
  EXPECT_EQ(s.arrived, 0u);
}

TEST(FaultEffect, ATableThatFillsUpTruncatesAndReleasesTheRest) {
  Stage s;
  const Truth truth(s.machine);
  const std::uint32_t memory = truth.description_of(s.process, s.memfd);
  EXPECT_EQ(truth.description(memory).references, 3u);
  s.schedule.arm(rule_of(FaultPoint::recvmsg_emfile_truncates));
  EXPECT_EQ(s.receive(), kText.size());
  EXPECT_EQ(s.arrived, 2u);
  EXPECT_TRUE(s.truncated);
  EXPECT_EQ(truth.descriptors_in_flight(), 0u);
  EXPECT_EQ(truth.description(memory).references, 1u) << "the two that found no number";
}

TEST(FaultEffect, MprotectChangesWhatLiesBeforeTheFailure) {
  Stage s;
  const auto two = *s.k.mmap(os::UserAddr(), 2 * kPage, abi::prot_read, abi::map_private | abi::map_anonymous, -1, 0);
  ASSERT_TRUE(s.k.mprotect(two, kPage, abi::prot_read | abi::prot_write));  // now two mappings
  s.schedule.arm(rule_of(FaultPoint::mprotect_enomem));
  EXPECT_EQ(error_of(outcome(s.k.mprotect(two, 2 * kPage, abi::prot_none))), Errno::enomem);
  std::byte byte{};
  EXPECT_FALSE(s.process.load(two, {&byte, 1}));
  EXPECT_TRUE(s.process.load(two + kPage, {&byte, 1}));
}

TEST(FaultEffect, AFaultOfAnotherCallIsNotMet) {
  class Wrong final : public Schedule {
    FaultPoint before(const CallSite&) override { return FaultPoint::execve_enoent; }
  } wrong;
  Machine machine;
  machine.set_schedule(&wrong);
  EXPECT_TRUE(machine.spawn().kernel().eventfd(0, 0));
  EXPECT_EQ(Truth(machine).faults().size(), 0u);
}

}  // namespace
}  // namespace vcpr::machine
