// MSI-X: the calls of each step of a vector's life, in order, and that every signal reaches the guest.
#include "engine/vfio/msix.hpp"

#include "engine/vfio/pci_testing.hpp"

namespace vcpr::vfio {
namespace {

using Calls = std::vector<std::string>;

TEST(Msix, EnablingItTakesIntxAwayAndAllocatesNoVector) {
  PciHost host;
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.route(), "");
  vm.seen();
  EXPECT_EQ(vm.set_msix(pci::kMsixEnable), "");
  EXPECT_EQ(vm.seen(), (Calls{"INTX mask", "irqfd off 21", "INTX unmask", "INTX disable", "MSIX trigger 0+1 -"}));
  EXPECT_FALSE(vm.life.cpr.descriptors.contains({"0000:00:07.0_intx-interrupt", 0}));
  EXPECT_FALSE(vm.life.cpr.descriptors.contains({"0000:00:07.0_interrupt", 0}));
}

TEST(Msix, AVectorIsReadyWhenItIsFirstUnmasked) {
  PciHost host;
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.set_msix(pci::kMsixEnable), "");
  vm.seen();
  EXPECT_EQ(vm.program(2, true), "");
  EXPECT_EQ(vm.seen(), Calls{}) << "masked from the start: nothing of it exists";
  EXPECT_EQ(vm.mask(2, false), "");
  EXPECT_EQ(vm.seen(), (Calls{"routes", "irqfd 24", "MSIX trigger 2+1 fd"}));
  EXPECT_TRUE(vm.life.cpr.descriptors.contains({"0000:00:07.0_interrupt", 2}));
  EXPECT_TRUE(vm.life.cpr.descriptors.contains({"0000:00:07.0_kvm_interrupt", 2}));
  EXPECT_FALSE(vm.life.cpr.descriptors.contains({"0000:00:07.0_interrupt", 0}));
}

TEST(Msix, VectorsThatAreUnmaskedBeforeItIsEnabledShareOneBatch) {
  PciHost host;
  PciVm& vm = *host.old;
  for (std::uint32_t vector = 0; vector < 3; ++vector) EXPECT_EQ(vm.program(vector, false), "");
  EXPECT_EQ(vm.seen(), Calls{});
  EXPECT_EQ(vm.set_msix(pci::kMsixEnable), "");
  EXPECT_EQ(vm.seen(), (Calls{"INTX disable", "routes", "irqfd 24", "irqfd 25", "irqfd 26", "MSIX trigger 0+1 -",
                              "MSIX trigger 0+3 fd fd fd"}));
}

TEST(Msix, SignalsReachTheGuestThroughKvm) {
  PciHost host;
  PciVm& vm = *host.old;
  host.use_msix(vm, 3);
  host.raise(1);
  EXPECT_EQ(vm.take(), kFirstMessage + 1);
  EXPECT_EQ(vm.take(), -1);
}

TEST(Msix, I31_AMaskedVectorIsPendingUntilItIsUnmasked) {
  PciHost host;
  PciVm& vm = *host.old;
  host.use_msix(vm, 3);
  vm.seen();
  EXPECT_EQ(vm.mask(1, true), "");
  EXPECT_EQ(vm.seen(), Calls{"MSIX trigger 1+1 fd"}) << "irqfd and route stay";
  host.raise(1);
  EXPECT_EQ(vm.take(), -1);
  vm.settle();
  EXPECT_EQ(vm.pending_bits(), 2u);
  EXPECT_EQ(vm.take(), -1);
  EXPECT_EQ(vm.mask(1, false), "");
  EXPECT_EQ(vm.take(), kFirstMessage + 1);
  EXPECT_EQ(vm.pending_bits(), 0u);
}

TEST(Msix, ASignalThatUserSpaceHasNotSeenYetIsDeliveredAfterTheUnmask) {
  PciHost host;
  PciVm& vm = *host.old;
  host.use_msix(vm, 2);
  EXPECT_EQ(vm.mask(1, true), "");
  host.raise(1);
  EXPECT_EQ(vm.mask(1, false), "");
  vm.settle();
  EXPECT_EQ(vm.take(), kFirstMessage + 1);
  EXPECT_EQ(vm.take(), -1);
}

TEST(Msix, TheFunctionMaskMasksEveryVector) {
  PciHost host;
  PciVm& vm = *host.old;
  host.use_msix(vm, 2);
  EXPECT_EQ(vm.set_msix(pci::kMsixEnable | pci::kMsixMaskAll), "");
  host.raise(0);
  vm.settle();
  EXPECT_EQ(vm.take(), -1);
  EXPECT_EQ(vm.pending_bits(), 1u);
  EXPECT_EQ(vm.set_msix(pci::kMsixEnable), "");
  EXPECT_EQ(vm.take(), kFirstMessage);
}

TEST(Msix, ANewMessageReachesTheRoute) {
  PciHost host;
  PciVm& vm = *host.old;
  host.use_msix(vm, 1);
  EXPECT_EQ(vm.mask(0, true), "");
  const std::uint32_t data = 0x77;
  EXPECT_TRUE(vm.pci().write_bar(3, 8, std::as_bytes(std::span(&data, 1))));
  EXPECT_EQ(vm.mask(0, false), "");
  host.raise(0);
  EXPECT_EQ(vm.take(), 0x77);
}

TEST(Msix, DisablingItGivesEverythingBack) {
  PciHost host;
  PciVm& vm = *host.old;
  host.use_msix(vm, 3);
  vm.seen();
  EXPECT_EQ(vm.set_msix(0), "");
  EXPECT_EQ(vm.seen(),
            (Calls{"MSIX disable", "irqfd off 24", "irqfd off 25", "irqfd off 26", "routes", "INTX trigger 0+1 fd"}));
  for (int vector = 0; vector < 3; ++vector) {
    EXPECT_FALSE(vm.life.cpr.descriptors.contains({"0000:00:07.0_interrupt", vector}));
    EXPECT_FALSE(vm.life.cpr.descriptors.contains({"0000:00:07.0_kvm_interrupt", vector}));
  }
}

TEST(Msix, WhereTheKernelCannotAddVectorsTheBlockIsSetUpAgainAndNothingIsLost) {
  PciHost host({}, {.dynamic_msix = false});
  PciVm& vm = *host.old;
  host.use_msix(vm, 1);
  EXPECT_EQ(vm.take(), -1);
  vm.seen();
  EXPECT_EQ(vm.program(3, false), "");
  EXPECT_EQ(vm.seen(), (Calls{"routes", "irqfd 25", "MSIX disable", "MSIX trigger 0+4 fd - - fd"}));
  EXPECT_EQ(vm.take(), kFirstMessage) << "what the host may have dropped in between";
  EXPECT_EQ(vm.take(), -1);
  host.raise(3);
  EXPECT_EQ(vm.take(), kFirstMessage + 3);
}

TEST(Msix, WithoutKvmUserSpaceDelivers) {
  PciHost host({.kvm = false});
  PciVm& vm = *host.old;
  host.use_msix(vm, 2);
  EXPECT_FALSE(vm.life.cpr.descriptors.contains({"0000:00:07.0_kvm_interrupt", 1}));
  vm.seen();
  host.raise(1);
  vm.settle();
  EXPECT_EQ(vm.embedder.messages, (std::vector<std::uint32_t>{kFirstMessage + 1}));
  EXPECT_EQ(vm.mask(1, true), "");
  EXPECT_EQ(vm.seen(), Calls{}) << "the trigger is the same masked or not";
  host.raise(1);
  vm.settle();
  EXPECT_EQ(vm.embedder.messages.size(), 1u);
  EXPECT_EQ(vm.pending_bits(), 2u);
}

TEST(Msix, WithoutARouteLeftUserSpaceDelivers) {
  PciHost host;
  PciVm& vm = *host.old;
  while (vm.kvm->add_message_route({})) {
  }
  host.use_msix(vm, 1);
  host.raise(0);
  vm.settle();
  EXPECT_EQ(vm.take(), kFirstMessage);
}

}  // namespace
}  // namespace vcpr::vfio
