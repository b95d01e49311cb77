// What conformance cases cannot see of devices: the interrupts' way, shortage, the guest's steps, lifetimes.
#include <gtest/gtest.h>
#include <vector>

#include "engine/os/abi.hpp"
#include "properties/machine/device_testing.hpp"
#include "properties/machine/pci/edu.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/pci/guest.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::machine {
namespace {

using os::Errno;
namespace abi = os::abi;
using Stage = InterruptStage;

constexpr std::uint32_t kTrigger = abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_trigger;
constexpr std::uint32_t kIntx = abi::vfio_pci_intx_irq_index;
constexpr std::uint32_t kMsi = abi::vfio_pci_msi_irq_index;
constexpr std::uint32_t kMsix = abi::vfio_pci_msix_irq_index;

/// A machine with one device, open, and three eventfds.
struct Host {
  explicit Host(DeviceModel model, const Switches& switches = {})
      : machine(switches), process(machine.spawn()), k(process.kernel()), number(machine.plug({model, 1, "device"})) {
    device = open_bare_device(machine, process, number);
    for (int& each : events) each = *k.eventfd(0, abi::efd_nonblock);
  }

  os::Result<int> enable(std::uint32_t index, std::uint32_t count) {
    return set_irqs(k, device, index, kTrigger, 0, count, std::span(events).first(count));
  }
  std::uint64_t counter(std::size_t i) const {
    const Truth truth(machine);
    return truth.description(truth.description_of(process, events[i])).counter;
  }
  std::vector<Stage> stages(std::uint64_t serial) const {
    std::vector<Stage> found;
    Truth(machine).interrupts().for_each([&](const InterruptFact& fact) {
      if (fact.serial == serial) found.push_back(fact.stage);
    });
    return found;
  }

  Machine machine;
  Process& process;
  os::Kernel& k;
  std::uint32_t number;
  int device = -1;
  std::array<int, 3> events{};
};

TEST(Device, TellsEachInterruptFromRaiseToDelivery) {
  Host host(DeviceModel::igb);
  ASSERT_EQ(host.enable(kMsix, 2), 0);
  start_driver(host.machine, host.number);
  raise_interrupt(host.machine, host.number, 1);
  EXPECT_EQ(host.counter(1), 1u);
  EXPECT_EQ(host.stages(1), (std::vector{Stage::raised, Stage::signalled}));
  raise_interrupt(host.machine, host.number, 2);  // no trigger: the host keeps it masked
  raise_interrupt(host.machine, host.number, 2);
  EXPECT_EQ(host.stages(2), (std::vector{Stage::raised, Stage::pending}));
  EXPECT_EQ(host.stages(3), (std::vector{Stage::raised, Stage::merged}));
  ASSERT_EQ(set_irqs(host.k, host.device, kMsix, kTrigger, 2, 1, std::span(host.events).last(1)), 0);
  EXPECT_EQ(host.stages(2), (std::vector{Stage::raised, Stage::pending, Stage::signalled}));
  EXPECT_EQ(host.counter(2), 1u);
}

TEST(Device, SendsWhatCameBehindTheGuestsMask) {
  Host host(DeviceModel::igb);
  ASSERT_EQ(host.enable(kMsix, 1), 0);
  start_driver(host.machine, host.number);
  mask_vector(host.machine, host.number, 0, true);
  raise_interrupt(host.machine, host.number, 0);
  EXPECT_EQ(host.counter(0), 0u);
  mask_vector(host.machine, host.number, 0, false);
  EXPECT_EQ(host.counter(0), 1u);
}

TEST(Device, LosesMessagesWithoutBusMasterOrAfterItsTriggerIsGone) {
  Host host(DeviceModel::edu);
  ASSERT_EQ(host.enable(kMsi, 1), 0);
  raise_interrupt(host.machine, host.number);
  EXPECT_EQ(host.stages(1), (std::vector{Stage::raised, Stage::lost}));
  start_driver(host.machine, host.number);
  raise_interrupt(host.machine, host.number);
  EXPECT_EQ(host.counter(0), 1u);
  constexpr std::array kNobody{-1};
  ASSERT_EQ(set_irqs(host.k, host.device, kMsi, kTrigger, 0, 1, kNobody), 0);
  raise_interrupt(host.machine, host.number);
  EXPECT_EQ(host.stages(3), (std::vector{Stage::raised, Stage::lost}));
}

TEST(Device, KeepsMessagesThatCameBeforeTheFirstTrigger) {
  Host host(DeviceModel::edu);
  start_driver(host.machine, host.number);
  constexpr std::array kNobody{-1};
  ASSERT_EQ(set_irqs(host.k, host.device, kMsi, kTrigger, 0, 1, kNobody), 0);
  raise_interrupt(host.machine, host.number);
  raise_interrupt(host.machine, host.number);
  EXPECT_EQ(host.stages(2), (std::vector{Stage::raised, Stage::merged}));
  ASSERT_EQ(set_irqs(host.k, host.device, kMsi, kTrigger, 0, 1, std::span(host.events).first(1)), 0);
  EXPECT_EQ(host.stages(1), (std::vector{Stage::raised, Stage::pending, Stage::signalled}));
  EXPECT_EQ(host.counter(0), 1u);
}

TEST(Device, KeepsTheLineMaskedUntilItIsAcknowledged) {
  Host host(DeviceModel::nic);
  ASSERT_EQ(host.enable(kIntx, 1), 0);
  start_driver(host.machine, host.number);
  raise_interrupt(host.machine, host.number);
  raise_interrupt(host.machine, host.number);
  EXPECT_EQ(host.counter(0), 1u);
  constexpr std::uint32_t kUnmask = abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_unmask;
  ASSERT_EQ(set_irqs(host.k, host.device, kIntx, kUnmask, 0, 1), 0);
  EXPECT_EQ(host.counter(0), 2u);
  acknowledge_interrupts(host.machine, host.number);
  ASSERT_EQ(set_irqs(host.k, host.device, kIntx, kUnmask, 0, 1), 0);
  EXPECT_EQ(host.counter(0), 2u);
}

TEST(Device, EndsWhereATriggerUnmasksItsOwnLine) {
  Host host(DeviceModel::edu);
  ASSERT_EQ(host.enable(kIntx, 1), 0);
  constexpr std::uint32_t unmask = abi::vfio_irq_set_data_eventfd | abi::vfio_irq_set_action_unmask;
  ASSERT_EQ(set_irqs(host.k, host.device, kIntx, unmask, 0, 1, std::span(host.events).first(1)), 0);
  start_driver(host.machine, host.number);
  raise_interrupt(host.machine, host.number, 0);
  EXPECT_EQ(host.counter(0), 0u) << "the unmask eventfd consumes what the trigger signals";
}

TEST(Device, AnswersHowManyVectorsThereWouldHaveBeen) {
  Host host(DeviceModel::igb, {.message_vectors = 2});
  EXPECT_EQ(host.enable(kMsix, 3), 2);
  EXPECT_EQ(host.enable(kMsix, 2), 0);
  EXPECT_EQ(set_irqs(host.k, host.device, kMsix, kTrigger, 2, 1, std::span(host.events).last(1)).error(),
            Errno::enospc);
  EXPECT_EQ(host.machine.impl().vectors_in_use, 2u);
  ASSERT_TRUE(host.k.close(host.device));
  EXPECT_EQ(host.machine.impl().vectors_in_use, 0u);
}

/// The last of as many vectors as PCI has, behind the host's limit, which must be raised for them.
TEST(Device, HasAsManyVectorsAsPciHas) {
  Machine machine({.message_vectors = kMaxVectors});
  Process& process = machine.spawn();
  const std::uint32_t number = machine.plug({.model = DeviceModel::many_vectors, .group = 1, .address = "device"});
  const int device = open_bare_device(machine, process, number);
  const std::array event{*process.kernel().eventfd(0, abi::efd_nonblock)};
  constexpr std::uint32_t kLast = kMaxVectors - 1;
  raise_interrupt(machine, number, kLast);
  std::array<std::byte, 8> pending{};
  const std::uint64_t pending_bits = std::uint64_t{2} << 40 | 0x8000;  // in BAR 2
  start_driver(machine, number);
  ASSERT_EQ(process.kernel().pread(device, pending, pending_bits + kMaxVectors / 8 - 8), 8u);
  EXPECT_EQ(pending.back(), std::byte{0x80});
  ASSERT_EQ(set_irqs(process.kernel(), device, kMsix, kTrigger, kLast, 1, event), 0);
  EXPECT_EQ(machine.impl().vectors_in_use, kMaxVectors);
  raise_interrupt(machine, number, kLast);
  EXPECT_EQ(Truth(machine).description(Truth(machine).description_of(process, event[0])).counter, 2u);
  EXPECT_EQ(set_irqs(process.kernel(), device, kMsix, kTrigger, kMaxVectors, 1, event).error(), Errno::einval);
}

TEST(Device, HasTheVectorsItWasPluggedWith) {
  Machine machine;
  Process& process = machine.spawn();
  const std::uint32_t number =
      machine.plug({.model = DeviceModel::many_vectors, .group = 1, .address = "device", .vectors = 64});
  const int device = open_bare_device(machine, process, number);
  abi::vfio_irq_info info{.argsz = sizeof info, .index = kMsix};
  ASSERT_EQ(process.kernel().ioctl(device, abi::request::vfio_device_get_irq_info, &info), 0);
  EXPECT_EQ(info.count, 64u);
}

TEST(Device, DoesNotGrowWhereTheHostCannot) {
  Host host(DeviceModel::igb, {.dynamic_msix = false});
  ASSERT_EQ(host.enable(kMsix, 1), 0);
  EXPECT_EQ(set_irqs(host.k, host.device, kMsix, kTrigger, 1, 1, std::span(host.events).first(1)).error(),
            Errno::einval);
}

TEST(Device, SignalsErrorsAndRequests) {
  Host host(DeviceModel::igb);
  ASSERT_EQ(set_irqs(host.k, host.device, abi::vfio_pci_err_irq_index, kTrigger, 0, 1, std::span(host.events).first(1)),
            0);
  host.machine.report_device_error(host.number);
  host.machine.request_device(host.number);  // no trigger: nothing
  EXPECT_EQ(host.counter(0), 1u);
  ASSERT_EQ(set_irqs(host.k, host.device, abi::vfio_pci_req_irq_index, kTrigger, 0, 1, std::span(host.events).last(1)),
            0);
  host.machine.request_device(host.number);
  host.machine.request_device(77);
  EXPECT_EQ(host.counter(2), 1u);
}

TEST(Device, MovesNothingWithoutADomainYetEndsInTime) {
  Host host(DeviceModel::edu);
  ASSERT_EQ(host.enable(kMsi, 1), 0);
  start_driver(host.machine, host.number);
  const auto put = [&](std::uint64_t offset, std::uint64_t value) {
    EXPECT_EQ(host.k.pwrite(host.device, std::as_bytes(std::span(&value, 1)), offset), 8u);
  };
  put(Edu::kSource, 0x1000);
  put(Edu::kDestination, Edu::kBuffer);
  put(Edu::kCount, 64);
  put(Edu::kDmaCommand, Edu::kRun | Edu::kInterruptAtEnd);
  host.machine.advance_time(Edu::kTransferTime - 1);
  EXPECT_EQ(host.counter(0), 0u);
  host.machine.advance_time(1);
  EXPECT_EQ(host.counter(0), 1u);
  put(Edu::kDmaCommand, Edu::kRun | Edu::kInterruptAtEnd);
  EXPECT_TRUE(complete_dma(host.machine, host.number));
  EXPECT_FALSE(complete_dma(host.machine, host.number));
  EXPECT_EQ(host.counter(0), 2u);
  ASSERT_EQ(Truth(host.machine).dma().size(), 2u);
}

TEST(Device, GoesQuietAtTheLastClose) {
  Host host(DeviceModel::igb);
  ASSERT_EQ(host.enable(kMsix, 3), 0);
  start_driver(host.machine, host.number);
  ASSERT_TRUE(host.k.close(host.device));
  raise_interrupt(host.machine, host.number, 0);
  EXPECT_EQ(host.counter(0), 0u);
  host.device = open_bare_device(host.machine, host.process, host.number);
  EXPECT_EQ(host.enable(kMsi, 1), 0);
}

}  // namespace
}  // namespace vcpr::machine
