// A device from one process to another, and back: no interrupt is lost wherever it is raised, nothing hostile reaches
// the kernel, nothing is written to the device.
#include "engine/vfio/pci_testing.hpp"

namespace vcpr::vfio {
namespace {

using Calls = std::vector<std::string>;
using machine::DeviceModel;

PciSetup edu(bool kvm = true) {
  return {.model = DeviceModel::edu, .kvm = kvm, .options = {.path = "0000:00:05.0"}};
}

/// Which kind of interrupt a device has on when it is handed over.
enum class Kind : std::uint8_t { intx, msi, msix };

void start(PciHost& host, Kind kind) {
  PciVm& vm = *host.old;
  EXPECT_EQ(joined({vm.enable_memory(), vm.route()}), "");
  EXPECT_EQ(kind == Kind::msi ? vm.enable_msi() : "", "");
  if (kind == Kind::msix) host.use_msix(vm, 3);
  machine::start_driver(host.machine, host.number);
}

int expected(Kind kind, std::uint32_t vector) {
  return kind == Kind::intx ? kLineVector : static_cast<int>(kFirstMessage + vector);
}

TEST(PciHandover, I28_TheDeviceIsToldNothingButTheKick) {
  for (const Kind kind : {Kind::intx, Kind::msi, Kind::msix}) {
    PciHost host(kind == Kind::msi ? edu() : PciSetup{});
    start(host, kind);
    PciVm& next = host.make_next();
    host.old->seen();
    next.seen();
    EXPECT_EQ(host.hand_over(), "");
    const Calls old_calls = kind == Kind::intx  ? Calls{"irqfd off 21"}
                            : kind == Kind::msi ? Calls{"irqfd off 24"}
                                                : Calls{"irqfd off 24", "irqfd off 25", "irqfd off 26"};
    const Calls next_calls = kind == Kind::intx  ? Calls{"irqfd 21 resample", "INTX unmask"}
                             : kind == Kind::msi ? Calls{"routes", "irqfd 24"}
                                                 : Calls{"routes", "irqfd 24", "irqfd 25", "irqfd 26"};
    EXPECT_EQ(host.old->seen(), old_calls);
    EXPECT_EQ(next.seen(), next_calls);
  }
}

TEST(PciHandover, I33_ANewProcessThatStartsWritesNothingAndResetsNothing) {
  for (const PciSetup& setup : {PciSetup{}, edu()}) {
    PciHost host(setup);
    start(host, Kind::intx);
    machine::Process& process = host.machine.spawn();
    host.next = std::make_unique<PciVm>(process, setup, lifecycle::Incoming::transfer,
                                        arrive(host.old->life.cpr, host.old->process, process));
    PciVm& next = *host.next;
    next.kernel.seen.clear();
    auto attached = Device::attach(*next.vm, {.name = std::string(setup.host), .group = 7});
    ASSERT_TRUE(attached);
    next.device = *PciDevice::realize(*next.vm, std::move(*attached), setup.options, next.embedder);
    EXPECT_EQ(next.seen(), Calls{});
    EXPECT_FALSE(next.pci().reset()) << "it is not ours yet";
    EXPECT_NE(next.config(pci::kCommand, 0, 2), "");
    EXPECT_EQ(next.seen(), Calls{});
    EXPECT_EQ(text_of(next.life.cpr.descriptors.check_all_claimed()), "");
  }
}

/// Raises one interrupt at call boundary `at` of the whole handover; then the new guest must see it.
void raise_at_each_boundary(Kind kind, const PciSetup& setup, std::uint32_t vector) {
  for (std::uint32_t at = 0;; ++at) {
    PciHost host(setup);
    start(host, kind);
    PciVm& next = host.make_next();
    std::uint32_t count = 0;
    const auto tick = [&] {
      if (count++ == at) host.raise(vector);
    };
    host.old->kernel.between = next.kernel.between = tick;
    EXPECT_EQ(host.hand_over(), "");
    host.old->kernel.between = next.kernel.between = nullptr;
    if (count <= at) {
      EXPECT_GT(at, 2u);
      return;
    }
    next.settle();
    EXPECT_EQ(next.take(), expected(kind, vector)) << "raised before call " << at;
    if (kind != Kind::intx) continue;
    machine::acknowledge_interrupts(host.machine, host.number);
    (void)machine::end_interrupt(next.vcpu());
    host.raise();
    EXPECT_EQ(next.take(), kLineVector) << "the next one, after call " << at;
  }
}

TEST(PciHandover, I22_AMsixSignalIsNeverLost) {
  raise_at_each_boundary(Kind::msix, {}, 1);
}
TEST(PciHandover, I23_AMsiSignalIsNeverLost) {
  raise_at_each_boundary(Kind::msi, edu(), 0);
}
TEST(PciHandover, I24_ALineIsNeverLost) {
  raise_at_each_boundary(Kind::intx, edu(), 0);
}

TEST(PciHandover, W6_AnEoiThatTheOldProcessMissedDoesNotLeaveTheDeviceMasked) {
  PciHost host(edu());
  start(host, Kind::intx);
  host.raise();
  EXPECT_EQ(machine::take_interrupt(host.old->vcpu()), kLineVector);
  PciVm& next = host.make_next();
  host.old->seen();
  bool is_detached = false;
  host.old->kernel.between = [&] {
    if (!is_detached) {
      is_detached = host.old->kernel.seen == Calls{"irqfd off 21"};
      return;
    }
    machine::acknowledge_interrupts(host.machine, host.number);
    (void)machine::end_interrupt(host.old->vcpu());
  };
  EXPECT_EQ(text_of(host.old->let_go()), "");
  host.old->kernel.between = nullptr;
  EXPECT_TRUE(host.hardware().interrupts.intx_masked) << "nobody was told";
  EXPECT_EQ(texts({host.carry(), next.take_over()}), "");
  EXPECT_FALSE(host.hardware().interrupts.intx_masked);
  host.raise();
  EXPECT_EQ(next.take(), kLineVector);
}

TEST(PciHandover, W7_APinThatTheIoapicMasksIsStillToCome) {
  PciHost host(edu());
  start(host, Kind::intx);
  constexpr std::uint32_t kPinMasked = 1 << 16 | 1 << 15 | kLineVector;
  machine::write_ioapic(host.old->kvm_vm(), 0x10 + 2 * kGuestPin, kPinMasked);
  host.raise();
  EXPECT_EQ(host.old->take(), -1);
  EXPECT_EQ(host.hand_over(), "");
  machine::write_ioapic(host.next->kvm_vm(), 0x10 + 2 * kGuestPin, 1 << 15 | kLineVector);
  EXPECT_EQ(host.next->take(), kLineVector);
}

TEST(PciHandover, W8_ARouteThatChangesMeanwhileIsTakenBackWith) {
  PciHost host(edu());
  start(host, Kind::intx);
  host.old->seen();
  EXPECT_EQ(text_of(host.old->let_go()), "");
  EXPECT_EQ(text_of(host.old->pci().set_intx_route({.enabled = true, .gsi = 22})), "");
  EXPECT_EQ(host.old->seen(), Calls{"irqfd off 21"});
  EXPECT_EQ(text_of(host.old->take_back()), "");
  EXPECT_EQ(host.old->seen(), (Calls{"irqfd 22 resample", "INTX unmask"}));
}

TEST(PciHandover, I29_APendingBitGoesAlongAndIsDeliveredByTheUnmask) {
  PciHost host;
  start(host, Kind::msix);
  EXPECT_EQ(host.old->mask(1, true), "");
  host.raise(1);
  host.old->settle();
  EXPECT_EQ(host.hand_over(), "");
  EXPECT_EQ(host.next->pending_bits(), 2u);
  host.next->settle();
  EXPECT_EQ(host.next->take(), -1);
  EXPECT_EQ(host.next->mask(1, false), "");
  EXPECT_EQ(host.next->take(), kFirstMessage + 1);
}

TEST(PciHandover, I30_AMaskedVectorsSignalInTheGapIsPendingInTheNew) {
  PciHost host;
  start(host, Kind::msix);
  EXPECT_EQ(host.old->mask(2, true), "");
  host.make_next();
  EXPECT_EQ(text_of(host.old->let_go()), "");
  host.raise(2);
  EXPECT_EQ(texts({host.carry(), host.next->take_over()}), "");
  host.old->give_away();
  host.next->run();
  host.next->settle();
  EXPECT_EQ(host.next->take(), -1);
  EXPECT_EQ(host.next->pending_bits(), 4u);
}

TEST(PciHandover, TheNewSideKnowsHowFarTheKernelsBlockReaches) {
  PciHost host({}, {.dynamic_msix = false});
  start(host, Kind::msix);
  EXPECT_EQ(host.hand_over(), "");
  host.next->seen();
  EXPECT_EQ(host.next->program(5, false), "");
  EXPECT_EQ(host.next->seen(), (Calls{"routes", "irqfd 27", "MSIX disable", "MSIX trigger 0+6 fd fd fd - - fd"}));
  while (host.next->take() >= 0) {
  }
  host.raise(5);
  EXPECT_EQ(host.next->take(), kFirstMessage + 5);
}

TEST(PciHandover, TheNewOneIsAnOldOneInItsTurn) {
  PciHost host;
  start(host, Kind::msix);
  for (std::uint32_t generation = 0; generation < 3; ++generation) {
    EXPECT_EQ(host.hand_over(), "");
    host.raise(generation);
    EXPECT_EQ(host.next->take(), static_cast<int>(kFirstMessage + generation));
    host.next_is_old();
  }
}

TEST(PciHandover, W13_TakingBackAttachesOnlyWhatWasDetached) {
  PciHost host;
  start(host, Kind::msix);
  host.old->seen();
  EXPECT_EQ(text_of(host.old->take_back()), "");
  EXPECT_EQ(host.old->seen(), Calls{}) << "nothing was let go";
  EXPECT_EQ(texts({host.old->let_go(), host.old->take_back()}), "");
  host.old->seen();
  EXPECT_EQ(text_of(host.old->pci().interrupts().take_back()), "");
  EXPECT_EQ(host.old->seen(), Calls{}) << "idempotent";
}

TEST(PciHandover, W4_WhatANewProcessTookAndDiedWithIsSignalledAgain) {
  for (const Kind kind : {Kind::intx, Kind::msi, Kind::msix}) {
    PciHost host(kind == Kind::msi ? edu() : PciSetup{});
    start(host, kind);
    host.make_next();
    EXPECT_EQ(text_of(host.old->let_go()), "");
    EXPECT_EQ(texts({host.carry(), host.next->take_over()}), "");
    host.raise(0);
    host.next->process.kill();
    EXPECT_EQ(text_of(host.old->take_back()), "");
    EXPECT_TRUE(host.old->takes(expected(kind, 0)));
  }
}

TEST(PciHandover, AProcessThatGivesUpSignalsWhatKvmMayHaveTaken) {
  PciHost host;
  start(host, Kind::msix);
  host.make_next();
  EXPECT_EQ(text_of(host.old->let_go()), "");
  EXPECT_EQ(texts({host.carry(), host.next->take_over()}), "");
  host.raise(1);
  host.next->seen();
  host.next->life.participants.give_up();
  EXPECT_EQ(host.next->seen(), (Calls{"irqfd off 24", "irqfd off 25", "irqfd off 26", "routes"}));
  EXPECT_EQ(text_of(host.old->take_back()), "");
  EXPECT_TRUE(host.old->takes(kFirstMessage + 1));
}

TEST(PciHandover, W5_AnEventfdThatTheOtherProcessHoldsIsAskedForAgain) {
  PciHost host;
  start(host, Kind::msix);
  host.make_next();
  EXPECT_EQ(text_of(host.old->let_go()), "");
  EXPECT_EQ(texts({host.carry(), host.next->take_over()}), "");
  const auto refused = host.old->take_back();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os, os::Errno::ebusy);
  EXPECT_NE(refused.error().message().find("0000:00:07.0: vector 0: eventfd"), std::string::npos)
      << refused.error().message();
  host.next->life.participants.give_up();
  EXPECT_EQ(text_of(host.old->take_back()), "");
  host.raise(2);
  EXPECT_TRUE(host.old->takes(kFirstMessage + 2));
}

TEST(PciHandover, InUserSpaceItWorksAsWell) {
  for (const Kind kind : {Kind::intx, Kind::msi, Kind::msix}) {
    const bool is_msi = kind == Kind::msi;
    PciHost host({.model = is_msi ? DeviceModel::edu : DeviceModel::igb, .kvm = false, .options = {.path = "a"}});
    start(host, kind);
    host.make_next();
    EXPECT_EQ(text_of(host.old->let_go()), "");
    host.raise(0);
    EXPECT_EQ(texts({host.carry(), host.next->take_over()}), "");
    host.old->give_away();
    host.next->run();
    host.next->settle();
    if (kind == Kind::intx) {
      EXPECT_EQ(host.next->embedder.lines, Calls{"21 up"});
    } else {
      EXPECT_EQ(host.next->embedder.messages, std::vector<std::uint32_t>{kFirstMessage});
    }
  }
}

TEST(PciHandover, APendingLineOfUserSpaceKeepsTheBarsOutOfTheGuest) {
  PciHost host(edu(false));
  start(host, Kind::intx);
  EXPECT_EQ(host.old->config(pci::kBar0, 0xe000'0000, 4), "");
  host.raise();
  host.old->settle();
  EXPECT_EQ(host.hand_over(), "");
  EXPECT_TRUE(host.next->memory.ranges().empty());
  EXPECT_EQ(host.next->embedder.lines, Calls{"21 up"});
  machine::acknowledge_interrupts(host.machine, host.number);
  EXPECT_EQ(host.next->touch_bar(), "");
  host.machine.advance_time(kBarsHiddenFor.nanoseconds);
  host.next->settle();
  EXPECT_EQ(host.next->memory.ranges().size(), 1u);
}

TEST(PciHandover, I42_TheBarsOfALineThatWasServedComeBackAfterARollBack) {
  PciHost host(edu(false));
  const machine::Truth truth(host.machine);
  start(host, Kind::intx);
  EXPECT_EQ(host.old->config(pci::kBar0, 0xe000'0000, 4), "");
  ASSERT_EQ(truth.mappings().size(), 1u);
  host.raise();
  host.old->settle();
  machine::acknowledge_interrupts(host.machine, host.number);
  EXPECT_EQ(host.old->touch_bar(), "");
  EXPECT_TRUE(host.old->memory.ranges().empty()) << "for a while yet";
  EXPECT_EQ(texts({host.old->let_go(), host.old->take_back()}), "");
  host.machine.advance_time(kBarsHiddenFor.nanoseconds);
  host.old->settle();
  EXPECT_EQ(host.old->memory.ranges().size(), 1u);
  EXPECT_EQ(truth.mappings().size(), 1u);
  host.raise();
  host.old->settle();
  EXPECT_EQ(host.old->embedder.lines.back(), "21 up");
}

/// What the guest of `vm` was given: by KVM, or by user space.
bool was_given(PciVm& vm, Kind kind) {
  if (vm.kvm) return vm.takes(expected(kind, 0));
  if (kind == Kind::intx) return std::ranges::count(vm.embedder.lines, "21 up") != 0;
  return std::ranges::count(vm.embedder.messages, std::uint32_t{kFirstMessage}) != 0;
}

TEST(PciHandover, W14_WhatHandlersTakeWhileTheLoadWaitsReachesTheGuestOfWhoeverRuns) {
  for (const bool with_kvm : {true, false}) {
    for (const Kind kind : {Kind::intx, Kind::msi, Kind::msix}) {
      for (const bool is_given_up : {false, true}) {
        const DeviceModel model = kind == Kind::msi ? DeviceModel::edu : DeviceModel::igb;
        PciHost host({.model = model, .kvm = with_kvm, .options = {.path = "a"}});
        start(host, kind);
        PciVm& next = host.make_next();
        EXPECT_EQ(texts({host.old->let_go(), host.carry(), next.take_over()}), "");
        host.raise();
        next.settle();
        if (is_given_up) {
          next.life.participants.give_up();
          EXPECT_EQ(text_of(host.old->take_back()), "");
        } else {
          host.old->give_away();
          next.run();
        }
        PciVm& owner = is_given_up ? *host.old : next;
        owner.settle();
        EXPECT_TRUE(was_given(owner, kind)) << with_kvm << static_cast<int>(kind) << is_given_up;
      }
    }
  }
}

/// Its handler hides BARs, though no mapping can be changed yet.
TEST(PciHandover, W14_ALineOfUserSpaceWhileTheLoadWaitsLeavesTheBarsAsTheyWere) {
  PciHost host(edu(false));
  const machine::Truth truth(host.machine);
  start(host, Kind::intx);
  EXPECT_EQ(host.old->config(pci::kBar0, 0xe000'0000, 4), "");
  PciVm& next = host.make_next();
  EXPECT_EQ(texts({host.old->let_go(), host.carry(), next.take_over()}), "");
  host.raise();
  next.settle();
  EXPECT_TRUE(next.memory.ranges().empty());
  host.old->give_away();
  next.run();
  machine::acknowledge_interrupts(host.machine, host.number);
  EXPECT_EQ(next.touch_bar(), "");
  EXPECT_EQ(next.embedder.lines, (Calls{"21 up", "21 down"}));
  host.machine.advance_time(kBarsHiddenFor.nanoseconds);
  next.settle();
  EXPECT_EQ(next.memory.ranges().size(), 1u);
  EXPECT_EQ(truth.mappings().size(), 1u);
  EXPECT_EQ(next.vm->containers.front()->mappings().size(), 1u);
  host.next_is_old();
  EXPECT_EQ(host.hand_over(), "");
  host.raise();
  host.next->settle();
  EXPECT_EQ(host.next->embedder.lines, Calls{"21 up"});
}

/// What an irqfd that comes too early would cost; I28_TheDeviceIsToldNothingButTheKick has the order that is kept.
TEST(PciHandover, W16_AnIrqfdBeforeItsRouteLosesTheSignalThatWaited) {
  PciHost host;
  start(host, Kind::msix);
  PciVm& next = host.make_next();
  EXPECT_EQ(text_of(host.old->let_go()), "");
  host.raise(1);
  kvm::Vm& kvm = *next.kvm;
  const auto gsi = kvm.add_message_route({.address = kMessageAddress, .data = kFirstMessage + 1});
  const auto eventfd = next.life.cpr.descriptors.find({"0000:00:07.0_kvm_interrupt", 1});
  ASSERT_TRUE(gsi && eventfd);
  EXPECT_EQ(texts({kvm.assign_irqfd(*eventfd, *gsi), kvm.commit_routes()}), "");
  EXPECT_EQ(next.take(), -1);
  host.raise(1);
  EXPECT_EQ(next.take(), kFirstMessage + 1) << "only what comes later is delivered";
  EXPECT_EQ(next.take(), -1);
}

/// What telling the device anew would cost: what it sends in between has no taker. (A single MSI-X vector has a mask
/// that would keep it.)
TEST(PciHandover, W18_SetIrqsOnALiveVectorLosesASignal) {
  for (const Kind kind : {Kind::msi, Kind::msix}) {
    PciHost host(kind == Kind::msi ? edu() : PciSetup{});
    start(host, kind);
    Device& device = host.old->pci().device();
    const IrqIndex index = kind == Kind::msi ? IrqIndex::msi : IrqIndex::msix;
    const std::string entry = std::string(host.setup.host) + "_kvm_interrupt";
    const std::int32_t eventfd = *host.old->life.cpr.descriptors.find({entry, 0});
    EXPECT_EQ(text_of(device.disable_irqs(index)), "");
    host.raise();
    EXPECT_EQ(text_of(device.set_triggers(index, 0, {&eventfd, 1})), "");
    EXPECT_EQ(host.old->take(), -1);
    host.raise();
    EXPECT_EQ(host.old->take(), kFirstMessage) << "only what comes later is delivered";
  }
}

TEST(PciHandover, W18_NeitherHandoverNorRollBackTellsALiveVectorAnything) {
  for (const bool with_kvm : {true, false}) {
    for (const Kind kind : {Kind::intx, Kind::msi, Kind::msix}) {
      const DeviceModel model = kind == Kind::msi ? DeviceModel::edu : DeviceModel::igb;
      PciHost host({.model = model, .kvm = with_kvm, .options = {.path = "a"}});
      start(host, kind);
      PciVm& next = host.make_next();
      host.old->seen();
      next.seen();
      EXPECT_EQ(texts({host.old->let_go(), host.carry(), next.take_over()}), "");
      next.life.participants.give_up();
      EXPECT_EQ(text_of(host.old->take_back()), "");
      EXPECT_EQ(host.hand_over(), "");
      for (const Calls& calls : {host.old->seen(), next.seen()}) {
        for (const std::string& call : calls) EXPECT_FALSE(call.starts_with("MSI")) << call;
        for (const std::string& call : calls) EXPECT_TRUE(!call.starts_with("INTX") || call == "INTX unmask") << call;
      }
    }
  }
}

TEST(PciHandover, I46_AVmThatWasGivenAwayIsLeftAlone) {
  PciHost host;
  start(host, Kind::msix);
  EXPECT_EQ(host.hand_over(), "");
  host.old->seen();
  EXPECT_NE(host.old->config(pci::kCommand, 0, 2), "");
  EXPECT_NE(host.old->mask(0, true), "");
  EXPECT_FALSE(host.old->pci().reset());
  EXPECT_EQ(text_of(host.old->pci().set_intx_route({.enabled = true, .gsi = 3})), "");
  host.old.reset();
  host.raise(2);
  EXPECT_EQ(host.next->take(), kFirstMessage + 2) << "the old one's end is nothing to the device";
}

/// One field wrong, in a section that is otherwise good, or one entry too few or too many.
struct Wrong {
  std::string_view what;
  std::function<void(vmstate::VfioCprPci&, store::DescriptorTable&)> damage;
};

void drop(store::DescriptorTable& table, std::string_view name, std::int32_t id) {
  EXPECT_TRUE(table.remove({name, id}));
}

void refuse_each(Kind kind, const std::vector<Wrong>& wrongs) {
  for (const Wrong& wrong : wrongs) {
    PciHost host;
    start(host, kind);
    PciVm& next = host.make_next();
    EXPECT_EQ(texts({host.old->let_go(), host.carry()}), "");
    wrong.damage(next.pci().section, next.life.cpr.descriptors);
    const std::uint64_t calls = host.machine.calls();
    const auto taken = next.life.participants.check_loaded(lifecycle::Mode::cpr_transfer);
    EXPECT_FALSE(taken) << wrong.what;
    EXPECT_EQ(host.machine.calls(), calls) << wrong.what;
    EXPECT_EQ(text_of(host.old->take_back()), "");
    while (host.old->take() >= 0) {
    }
    host.raise(0);
    EXPECT_EQ(host.old->take(), expected(kind, 0));
  }
}

TEST(PciHandover, W1_I8_AHostileMsixSectionIsRefusedWithoutACall) {
  using Section = vmstate::VfioCprPci;
  using Table = store::DescriptorTable;
  refuse_each(Kind::msix,
              {{"config cut", [](Section& s, Table&) { s.function.config.resize(256); }},
               {"vendor", [](Section& s, Table&) { s.function.config[0] ^= std::byte{1}; }},
               {"table cut", [](Section& s, Table&) { s.function.msix.pop_back(); }},
               {"pending beyond the last", [](Section& s, Table&) { s.function.msix.back() = std::byte{0x80}; }},
               {"a vector that did not come", [](Section& s, Table&) { s.function.msix[16 * 5 + 12] = std::byte{0}; }},
               {"pending INTx beside MSI-X", [](Section& s, Table&) { s.intx.pending = true; }},
               {"a level", [](Section& s, Table&) { s.function.intx_levels[0] = 1; }},
               {"an inverted route", [](Section& s, Table&) { s.intx.route_mode = vmstate::IntxRouteMode::inverted; }},
               {"a route beyond the pins", [](Section& s, Table&) { s.intx.route_irq = 24; }},
               {"a negative route", [](Section& s, Table&) { s.intx.route_irq = -1; }},
               {"MSI-X off, vectors there", [](Section& s, Table&) { s.function.config[0x73] &= std::byte{0x3f}; }},
               {"no interrupt 1", [](Section&, Table& t) { drop(t, "0000:00:07.0_interrupt", 1); }},
               {"no kvm_interrupt 1", [](Section&, Table& t) { drop(t, "0000:00:07.0_kvm_interrupt", 1); }},
               {"neither", [](Section&, Table& t) {
                  drop(t, "0000:00:07.0_interrupt", 1);
                  drop(t, "0000:00:07.0_kvm_interrupt", 1);
                }}});
}

TEST(PciHandover, W2_I8_AHostileIntxSectionIsRefusedWithoutACall) {
  using Section = vmstate::VfioCprPci;
  using Table = store::DescriptorTable;
  refuse_each(Kind::intx,
              {{"MSI on", [](Section& s, Table&) { s.function.config[0x52] |= std::byte{1}; }},
               {"MSI-X on", [](Section& s, Table&) { s.function.config[0x73] |= std::byte{0x80}; }},
               {"the wrong pin's level", [](Section& s, Table&) { s.function.intx_levels[1] = 1; }},
               {"no route", [](Section& s, Table&) { s.intx.route_mode = vmstate::IntxRouteMode::disabled; }},
               {"no trigger", [](Section&, Table& t) { drop(t, "0000:00:07.0_intx-interrupt", 0); }}});
}

TEST(PciHandover, AVectorBeyondTheTableIsRefusedByName) {
  PciHost host;
  start(host, Kind::msix);
  const int fd = *host.old->kernel.eventfd(0, 0);
  EXPECT_TRUE(vfio_cpr_save_vector_fd(host.old->pci(), "interrupt", 10, fd));
  PciVm& next = host.make_next();
  EXPECT_EQ(texts({host.old->let_go(), host.carry()}), "");
  const auto refused = next.life.participants.check_loaded(lifecycle::Mode::cpr_transfer);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("\"0000:00:07.0_interrupt\" id 10"), std::string::npos);
}

/// Fires one point at the n-th call that can meet it.
class FaultAt final : public machine::Schedule {
 public:
  FaultAt(machine::FaultPoint what, std::uint32_t when) : point_(what), left_(when) {}
  machine::FaultPoint before(const machine::CallSite& site) override {
    if (site.call != machine::Call::ioctl && site.call != machine::Call::eventfd) return machine::FaultPoint::none;
    return left_-- == 0 ? point_ : machine::FaultPoint::none;
  }

 private:
  machine::FaultPoint point_;
  std::uint32_t left_;
};

TEST(PciFaults, EnablingMsixFailsCleanlyAndWorksTheNextTime) {
  using machine::FaultPoint;
  for (const FaultPoint point :
       {FaultPoint::eventfd_emfile, FaultPoint::ioctl_set_irqs_ebusy, FaultPoint::ioctl_set_irqs_enomem,
        FaultPoint::ioctl_set_irqs_short, FaultPoint::ioctl_irqfd_enomem, FaultPoint::ioctl_set_gsi_routing_enomem}) {
    for (std::uint32_t at = 0; at < 16; ++at) {
      PciHost host;
      PciVm& vm = *host.old;
      EXPECT_EQ(vm.enable_memory(), "");
      for (std::uint32_t vector = 0; vector < 2; ++vector) EXPECT_EQ(vm.program(vector, false), "");
      const std::uint32_t before = machine::Truth(host.machine).descriptors_open(vm.process);
      FaultAt schedule(point, at);
      host.machine.set_schedule(&schedule);
      const std::string failed = vm.set_msix(pci::kMsixEnable);
      host.machine.set_schedule(nullptr);
      if (failed.empty()) continue;
      EXPECT_LE(machine::Truth(host.machine).descriptors_open(vm.process), before) << failed;
      EXPECT_EQ(vm.set_msix(0), "") << failed;
      EXPECT_EQ(machine::Truth(host.machine).descriptors_open(vm.process), before) << failed;
      EXPECT_EQ(vm.set_msix(pci::kMsixEnable), "") << failed;
      machine::start_driver(host.machine, host.number);
      host.raise(1);
      EXPECT_EQ(vm.take(), kFirstMessage + 1) << failed;
    }
  }
}

/// The guest's register says on, the host said no; the new side would believe the register.
TEST(PciFaults, InterruptsThatTheHostRefusedAreNotHandedOverAsIfTheyWereOn) {
  PciHost host;
  PciVm& vm = *host.old;
  EXPECT_EQ(vm.enable_memory(), "");
  bool failed = false;
  for (std::uint32_t at = 0; at < 8 && !failed; ++at) {
    EXPECT_EQ(vm.set_msix(0), "");
    FaultAt schedule(machine::FaultPoint::ioctl_set_irqs_short, at);
    host.machine.set_schedule(&schedule);
    failed = !vm.set_msix(pci::kMsixEnable).empty();
    host.machine.set_schedule(nullptr);
  }
  ASSERT_TRUE(failed);
  EXPECT_TRUE(vm.pci().config().is_msix_enabled());
  const auto refused = vm.let_go();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::bad_state) << refused.error().message();
  EXPECT_EQ(text_of(vm.take_back()), "");
  EXPECT_EQ(vm.set_msix(pci::kMsixEnable), "") << "the guest's next write tries again";
  host.use_msix(vm, 3);
  EXPECT_EQ(host.hand_over(), "");
  host.raise(2);
  EXPECT_EQ(host.next->take(), kFirstMessage + 2);
}

/// By hand, as a guest does that handles its interrupt: twice, so that one that is never unmasked shows.
void expect_user_space_delivers(PciHost& host, PciVm& vm, const std::string& after) {
  EXPECT_TRUE(machine::Truth(host.machine).irqfds().empty()) << after;
  for (int round = 0; round < 2; ++round) {
    host.raise();
    vm.settle();
    EXPECT_EQ(machine::take_interrupt(vm.vcpu()), kLineVector) << after;
    machine::acknowledge_interrupts(host.machine, host.number);
    EXPECT_EQ(vm.touch_bar(), "") << after;
    EXPECT_EQ(machine::end_interrupt(vm.vcpu()), kLineVector) << after;
  }
}

/// A roll-back must not take it for KVM's, and the new side goes on as the old one did.
TEST(PciFaults, IntxThatKvmCouldNotBeGivenStaysWithUserSpaceThroughRollBackAndHandover) {
  using machine::FaultPoint;
  int failures = 0;
  for (const FaultPoint point :
       {FaultPoint::eventfd_enfile, FaultPoint::eventfd_emfile, FaultPoint::ioctl_irqfd_enomem}) {
    for (std::uint32_t at = 0; at < 6; ++at) {
      PciHost host({.model = machine::DeviceModel::edu, .kvm = true, .options = {.path = "0000:00:05.0"}});
      FaultAt schedule(point, at);
      host.machine.set_schedule(&schedule);
      const std::string failed = host.old->route();
      host.machine.set_schedule(nullptr);
      if (failed.empty()) continue;
      ++failures;
      EXPECT_FALSE(host.old->life.cpr.descriptors.contains({"0000:00:07.0_intx-unmask", 0})) << failed;
      EXPECT_EQ(texts({host.old->let_go(), host.old->take_back()}), "") << failed;
      expect_user_space_delivers(host, *host.old, failed);
      EXPECT_EQ(host.hand_over(), "") << failed;
      expect_user_space_delivers(host, *host.next, failed);
    }
  }
  EXPECT_EQ(failures, 3);
}

TEST(PciFaults, I43_TakingBackGoesOnAfterAnErrorAndIsCompleteTheNextTime) {
  for (std::uint32_t at = 0; at < 4; ++at) {
    PciHost host;
    start(host, Kind::msix);
    EXPECT_EQ(text_of(host.old->let_go()), "");
    FaultAt schedule(machine::FaultPoint::ioctl_irqfd_enomem, at);
    host.machine.set_schedule(&schedule);
    const auto back = host.old->take_back();
    host.machine.set_schedule(nullptr);
    EXPECT_EQ(back.has_value(), at == 3);
    EXPECT_EQ(text_of(host.old->take_back()), "");
    while (host.old->take() >= 0) {
    }
    for (std::uint32_t vector = 0; vector < 3; ++vector) {
      host.raise(vector);
      EXPECT_EQ(host.old->take(), static_cast<int>(kFirstMessage + vector));
    }
  }
}

TEST(PciFaults, ATakeOverThatFailsLeavesTheOldSideWhole) {
  using machine::FaultPoint;
  for (const FaultPoint point : {FaultPoint::ioctl_irqfd_enomem, FaultPoint::ioctl_set_gsi_routing_enomem}) {
    for (std::uint32_t at = 0; at < 12; ++at) {
      PciHost host;
      start(host, Kind::msix);
      host.make_next();
      EXPECT_EQ(texts({host.old->let_go(), host.carry()}), "");
      host.raise(1);
      FaultAt schedule(point, at);
      host.machine.set_schedule(&schedule);
      const auto taken = host.next->take_over();
      host.machine.set_schedule(nullptr);
      if (taken) continue;
      host.next->life.participants.give_up();
      host.next.reset();
      EXPECT_EQ(text_of(host.old->take_back()), "");
      EXPECT_TRUE(host.old->takes(kFirstMessage + 1)) << taken.error().message();
    }
  }
}

TEST(PciDevice, UnpluggingItLeavesNothing) {
  for (const Kind kind : {Kind::intx, Kind::msi, Kind::msix}) {
    PciHost host(kind == Kind::msi ? edu() : PciSetup{});
    start(host, kind);
    PciVm& vm = *host.old;
    vm.device.reset();
    EXPECT_EQ(vm.life.cpr.descriptors.size(), 0u);
    EXPECT_EQ(host.hardware().interrupts.mode, machine::IrqMode::none);
    EXPECT_EQ(vm.life.sections.find("0000:00:05.0/vfio-cpr-pci", 0), nullptr);
    EXPECT_TRUE(vm.memory.ranges().empty());
    EXPECT_EQ(text_of(vm.plug()), "") << "and can be plugged again";
    EXPECT_EQ(texts({vm.let_go(), vm.take_back()}), "");
  }
}

TEST(PciDevice, AResetLeavesItAsAfterPowerOn) {
  PciHost host;
  start(host, Kind::msix);
  PciVm& vm = *host.old;
  EXPECT_EQ(text_of(vm.pci().reset()), "");
  EXPECT_FALSE(vm.pci().config().is_msix_enabled());
  EXPECT_TRUE(vm.pci().interrupts().intx().is_on());
  host.use_msix(vm, 1);
  host.raise(0);
  EXPECT_EQ(vm.take(), kFirstMessage);
}

TEST(PciDevice, WithoutAResetMethodNothingIsWritten) {
  PciHost host(edu());
  start(host, Kind::msi);
  PciVm& vm = *host.old;
  vm.seen();
  EXPECT_EQ(text_of(vm.pci().reset()), "");
  EXPECT_EQ(vm.seen(), Calls{});
}

}  // namespace
}  // namespace vcpr::vfio
