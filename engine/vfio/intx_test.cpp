// INTx, MSI, ERR and REQ: the calls of each step in order, and that every signal reaches the guest or its embedder.
#include "engine/vfio/intx.hpp"

#include "engine/vfio/pci_testing.hpp"

namespace vcpr::vfio {
namespace {

using Calls = std::vector<std::string>;
using machine::DeviceModel;

PciSetup edu(bool kvm = true, bool kvm_intx = true) {
  return {.model = DeviceModel::edu, .kvm = kvm, .options = {.path = "0000:00:05.0", .kvm_intx = kvm_intx}};
}

TEST(Intx, ARouteMovesItToKvmMaskedMeanwhile) {
  PciHost host(edu());
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.route(), "");
  EXPECT_EQ(vm.seen(), (Calls{"INTX mask", "irqfd 21 resample", "INTX unmask 0+1 fd", "INTX unmask"}));
  EXPECT_TRUE(vm.life.cpr.descriptors.contains({"0000:00:07.0_intx-interrupt", 0}));
  EXPECT_TRUE(vm.life.cpr.descriptors.contains({"0000:00:07.0_intx-unmask", 0}));
  host.raise();
  EXPECT_EQ(machine::take_interrupt(vm.vcpu()), kLineVector);
  machine::acknowledge_interrupts(host.machine, host.number);
  EXPECT_EQ(machine::end_interrupt(vm.vcpu()), kLineVector);
  EXPECT_FALSE(host.hardware().interrupts.intx_masked) << "the EOI has unmasked it";
  EXPECT_EQ(vm.take(), -1);
  host.raise();
  EXPECT_EQ(vm.take(), kLineVector);
}

TEST(Intx, AnotherRouteTakesTheIrqfdWithItAndLosesNothing) {
  PciHost host(edu());
  PciVm& vm = *host.old;
  EXPECT_EQ(text_of(vm.pci().set_intx_route({.enabled = true, .gsi = 5})), "");
  host.raise();
  vm.seen();
  EXPECT_EQ(vm.route(), "");
  EXPECT_EQ(vm.seen(),
            (Calls{"INTX mask", "irqfd off 5", "INTX unmask", "INTX mask", "irqfd 21 resample", "INTX unmask"}));
  EXPECT_EQ(vm.take(), kLineVector);
}

TEST(Intx, InUserSpaceTheNextAccessToTheDeviceIsItsEnd) {
  PciHost host(edu(false));
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.enable_memory(), "");
  EXPECT_EQ(vm.config(pci::kBar0, 0xe000'0000, 4), "");
  EXPECT_EQ(vm.memory.ranges().size(), 1u);
  EXPECT_EQ(vm.route(), "");
  host.raise();
  vm.settle();
  EXPECT_EQ(vm.embedder.lines, Calls{"21 up"});
  EXPECT_TRUE(vm.memory.ranges().empty()) << "so that the access is seen";
  machine::acknowledge_interrupts(host.machine, host.number);
  vm.seen();
  EXPECT_EQ(vm.touch_bar(), "");
  EXPECT_EQ(vm.embedder.lines, (Calls{"21 up", "21 down"}));
  EXPECT_EQ(vm.seen(), Calls{"INTX unmask"});
  EXPECT_TRUE(vm.memory.ranges().empty());
  host.machine.advance_time(kBarsHiddenFor.nanoseconds);
  vm.settle();
  EXPECT_EQ(vm.memory.ranges().size(), 1u);
}

TEST(Intx, WithKvmButWithoutItsIrqfdsItGoesThroughTheLine) {
  PciHost host(edu(true, false));
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.route(), "");
  EXPECT_FALSE(vm.life.cpr.descriptors.contains({"0000:00:07.0_intx-unmask", 0}));
  host.raise();
  vm.settle();
  EXPECT_EQ(machine::take_interrupt(vm.vcpu()), kLineVector);
}

TEST(Msi, EnablingItTakesEveryVectorAtOnce) {
  PciHost host(edu());
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.enable_memory(), "");
  vm.seen();
  EXPECT_EQ(vm.enable_msi(), "");
  EXPECT_EQ(vm.seen(), (Calls{"INTX disable", "routes", "irqfd 24", "MSI trigger 0+1 fd"}));
  host.raise();
  EXPECT_EQ(vm.take(), kFirstMessage);
  EXPECT_EQ(vm.enable_msi(9), "") << "another message";
  EXPECT_EQ(vm.seen(), Calls{"routes"});
  host.raise();
  EXPECT_EQ(vm.take(), kFirstMessage + 9);
  EXPECT_EQ(vm.config(vm.pci().config().msi()->offset + 2, 0, 2), "");
  EXPECT_EQ(vm.seen(), (Calls{"MSI disable", "irqfd off 24", "routes", "INTX trigger 0+1 fd"}));
}

TEST(Msi, WithoutKvmUserSpaceDelivers) {
  PciHost host(edu(false));
  PciVm& vm = *host.old;
  EXPECT_EQ(joined({vm.enable_memory(), vm.enable_msi()}), "");
  EXPECT_FALSE(vm.life.cpr.descriptors.contains({"0000:00:07.0_kvm_interrupt", 0}));
  host.raise();
  vm.settle();
  EXPECT_EQ(vm.embedder.messages, (std::vector<std::uint32_t>{kFirstMessage}));
}

TEST(Notifiers, TheEmbedderHearsOfEachOnce) {
  PciHost host;
  PciVm& vm = *host.old;
  host.machine.report_device_error(host.number);
  host.machine.request_device(host.number);
  vm.settle();
  vm.settle();
  EXPECT_EQ(vm.embedder.errors, 1u);
  EXPECT_EQ(vm.embedder.requests, 1u);
}

TEST(Notifiers, ADeviceWithoutExpressHasNoErr) {
  PciHost host(edu());
  EXPECT_FALSE(host.old->life.cpr.descriptors.contains({"0000:00:07.0_err_notifier", 0}));
  EXPECT_TRUE(host.old->life.cpr.descriptors.contains({"0000:00:07.0_req_notifier", 0}));
}

TEST(Notifiers, W17_WhileTheVmIsOnItsWayNobodyHearsAndThenTheNewSideDoes) {
  PciHost host;
  PciVm& next = host.make_next();
  EXPECT_EQ(text_of(host.old->let_go()), "");
  host.machine.report_device_error(host.number);
  host.old->settle();
  next.settle();
  EXPECT_EQ(host.old->embedder.errors + next.embedder.errors, 0u);
  EXPECT_EQ(texts({host.carry(), next.take_over()}), "");
  next.settle();
  EXPECT_EQ(next.embedder.errors, 1u);
  next.life.participants.give_up();
  EXPECT_EQ(text_of(host.old->take_back()), "");
  host.old->settle();
  EXPECT_EQ(host.old->embedder.errors, 1u) << "what the new side heard died with it";
}

}  // namespace
}  // namespace vcpr::vfio
