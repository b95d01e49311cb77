// Devices, memory and vectors that come and go before, between and during handovers.
#include <gtest/gtest.h>

#include "engine/handover/guest_testing.hpp"
#include "properties/machine/iommufd/iommufd.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::handover {
namespace {

using lifecycle::Mode;

// Objects that only their order of creation pairs: containers and iommufds

struct Ways : testing::TestWithParam<std::tuple<bool, Mode>> {
  bool by_cdev() const { return std::get<0>(GetParam()); }
  Mode mode() const { return std::get<1>(GetParam()); }
};
std::string name_of(const testing::TestParamInfo<std::tuple<bool, Mode>>& each) {
  const bool is_exec = std::get<1>(each.param) == Mode::cpr_exec;
  return std::string(std::get<0>(each.param) ? "Iommufds" : "Containers") + (is_exec ? "ByExec" : "ByTransfer");
}

/// A VM whose igb and edu share neither container nor iommufd.
struct TwoContainers {
  explicit TwoContainers(bool by_cdev) : shape{.cdev = by_cdev}, config(config_of(shape)) {
    if (by_cdev) config.devices.back().device.iommufd = "iommufd1";
    plug_devices(machine);
    const vm::PciConfig edu = config.devices.back();
    config.devices.pop_back();
    sides.push_back(std::make_unique<Side>(machine.spawn()));
    EXPECT_TRUE(owner().build(config));
    plug_alone(edu);
    EXPECT_TRUE(Guest(machine, owner()).boot(shape));
  }
  Side& owner() { return *sides.back(); }
  /// A container whose vaddrs are invalid takes no group (EBUSY), as one would not whose mappings the group cannot
  /// have.
  void plug_alone(const vm::PciConfig& device) {
    vm::VirtualMachine& vm = *owner().vm;
    EXPECT_TRUE(vm.pause());
    EXPECT_TRUE(shape.cdev || vm.life().participants.let_go(Mode::cpr_transfer));
    const auto plugged = vm.plug(device);
    EXPECT_TRUE(plugged) << plugged.error().message();
    EXPECT_TRUE(vm.start());
    config = vm.config();
  }
  std::size_t sections(std::string_view idstr) {
    std::size_t count = 0;
    while (owner().vm->life().sections.find(idstr, static_cast<std::uint32_t>(count)) != nullptr) ++count;
    return count;
  }
  /// To a new process or image; what was said if it did not work.
  std::string hand_over(Mode mode) {
    if (mode == Mode::cpr_exec) {
      auto next = exec_on(owner(), config);
      if (!next) return next.error().message();
      sides.push_back(std::move(*next));
      return "";
    }
    auto next = std::make_unique<Side>(machine.spawn());
    Pair pair(machine, owner(), *next, config);
    pair.begin();
    if (!pair.finish() || !pair.new_end.done) return pair.old_end.text() + " / " + pair.new_end.text();
    owner().vm.reset();
    sides.push_back(std::move(next));
    return "";
  }
  bool handles(std::uint32_t device, std::uint8_t vector) {
    machine::raise_interrupt(machine, device);
    return Guest(machine, owner()).handle().count(vector) == 1;
  }

  machine::Machine machine;
  Shape shape;
  vm::Config config;
  std::vector<std::unique_ptr<Side>> sides;  ///< the last one has the VM
};

struct InstanceIds : Ways {};
INSTANTIATE_TEST_SUITE_P(Of, InstanceIds,
                         testing::Combine(testing::Bool(), testing::Values(Mode::cpr_transfer, Mode::cpr_exec)),
                         name_of);

TEST_P(InstanceIds, TheFirstOfTwoMayGoBeforeAHandover) {
  TwoContainers host(by_cdev());
  const char* idstr = by_cdev() ? "iommufd" : "vfio-container";
  ASSERT_EQ(host.sections(idstr), 2u);
  ASSERT_TRUE(host.owner().vm->unplug(kIgb));
  host.config = host.owner().vm->config();
  EXPECT_EQ(host.sections(idstr), 1u) << "the one that is left is instance 0, as in the new process";
  ASSERT_EQ(host.hand_over(mode()), "");
  EXPECT_TRUE(host.handles(kEduNumber, kEduVector));
}

TEST_P(InstanceIds, AChainInWhichOneGoesAndComesAgain) {
  TwoContainers host(by_cdev());
  const char* idstr = by_cdev() ? "iommufd" : "vfio-container";
  ASSERT_EQ(host.hand_over(mode()), "");
  ASSERT_EQ(host.sections(idstr), 2u);
  const vm::PciConfig igb = host.config.devices.front();
  ASSERT_TRUE(host.owner().vm->unplug(kIgb));
  host.config = host.owner().vm->config();
  ASSERT_EQ(host.hand_over(mode()), "");
  host.plug_alone(igb);
  ASSERT_EQ(host.sections(idstr), 2u);
  ASSERT_EQ(host.hand_over(mode()), "");
  ASSERT_TRUE(host.owner().vm->unplug(kIgb));
  host.config = host.owner().vm->config();
  ASSERT_EQ(host.hand_over(Mode::cpr_transfer), "") << "the last of two goes";
  EXPECT_TRUE(host.handles(kEduNumber, kEduVector));
}

// Requests while an attempt is under way

/// What the management or the guest asks for, and what puts it back.
struct Request {
  const char* name;
  std::function<Expected<void>(vm::VirtualMachine&)> ask;
  std::function<Expected<void>(vm::VirtualMachine&)> undo;
};

template <class T>
Expected<void> plainly(Expected<T> answer) {
  if (!answer) return std::unexpected(std::move(answer.error()));
  return {};
}
Expected<void> set_mask(vm::VirtualMachine& vm, std::uint32_t vector, bool masked) {
  vfio::PciDevice& igb = *vm.device(kIgb);
  const vfio::MsixCapability& msix = *igb.config().msix();
  const std::array<std::uint32_t, 4> entry = {0xfee00000, 0, kIgbVector + vector, masked ? 1U : 0U};
  return igb.write_bar(msix.table_bar, msix.table_offset + 16ULL * vector, std::as_bytes(std::span(entry)));
}
Expected<void> set_msix(vm::VirtualMachine& vm, bool on) {
  vfio::PciDevice& igb = *vm.device(kIgb);
  return igb.write_config(igb.config().msix()->offset + 2, on ? vfio::pci::kMsixEnable : 0, 2);
}

std::vector<Request> requests(const Shape& shape) {
  using vm::VirtualMachine;
  const vm::Config whole = config_of(shape);
  const vm::PciConfig edu = whole.devices.back();
  const vm::RamConfig ram1 = whole.ram.back();
  const vm::RamConfig dimm{.name = "dimm", .size = 8192, .address = 1 << 22};
  return {
      {"a device goes", [](VirtualMachine& vm) { return vm.unplug(kEdu); },
       [edu](VirtualMachine& vm) { return plainly(vm.plug(edu)); }},
      {"memory goes", [](VirtualMachine& vm) { return vm.unplug_ram("ram1"); },
       [ram1](VirtualMachine& vm) { return plainly(vm.plug_ram(ram1)); }},
      {"memory comes", [dimm](VirtualMachine& vm) { return plainly(vm.plug_ram(dimm)); },
       [](VirtualMachine& vm) { return vm.unplug_ram("dimm"); }},
      {"a vector is used first", [](VirtualMachine& vm) { return set_mask(vm, kIgbVectors, false); },
       [](VirtualMachine& vm) { return set_mask(vm, kIgbVectors, true); }},
      {"vectors go and come", [](VirtualMachine& vm) { return set_msix(vm, false); },
       [](VirtualMachine& vm) { return set_msix(vm, true); }},
  };
}

/// A VM on its way, over a socket so small that each phase takes several steps.
struct OnItsWay {
  explicit OnItsWay(bool by_cdev) : shape{.cdev = by_cdev} {
    plug_devices(machine);
    EXPECT_TRUE(old_side.build(config_of(shape)));
    EXPECT_TRUE(old_side.vm->start());
    EXPECT_TRUE(Guest(machine, old_side).boot(shape));
  }
  void expect_interrupts(Side& side) {
    Guest guest(machine, side);
    guest.raise_all();
    const std::multiset<int> handled = guest.handle();
    for (int vector : Guest::expected(shape)) EXPECT_EQ(handled.count(vector), 1u) << vector;
  }
  /// Its copies of descriptors would keep a device busy that was unplugged meanwhile.
  void new_process_ends() {
    pair.drop_target();
    new_side.vm.reset();
  }

  machine::Machine machine{machine::Switches{.socket_buffer_bytes = 512}};
  Shape shape;
  Side old_side{machine.spawn()};
  Side new_side{machine.spawn()};
  Pair pair{machine, old_side, new_side, config_of(shape)};
};

/// A request that was granted ends the attempt, and the next one has what it brought about, or its undoing.
void expect_refused_then_taken(OnItsWay& host, const Request& request) {
  ASSERT_TRUE(host.pair.old_end.error);
  EXPECT_EQ(host.pair.old_end.error->code, ErrorCode::bad_state) << host.pair.old_end.text();
  ASSERT_TRUE(host.old_side.vcpus.running);
  host.new_process_ends();
  const Expected<void> undone = request.undo(*host.old_side.vm);
  ASSERT_TRUE(undone) << undone.error().message();
  host.pair.begin();
  ASSERT_TRUE(host.pair.finish());
}

struct PlugDuring : testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Of, PlugDuring, testing::Bool(),
                         [](const auto& each) { return each.param ? "ByCdev" : "ByGroup"; });

TEST_P(PlugDuring, W1_W2_W3_ARequestInAnyPhaseEndsTheAttemptOrIsRefused) {
  std::set<Phase> granted_in;
  std::set<Phase> refused_in;
  for (const Request& request : requests({.cdev = GetParam()})) {
    for (int at = 1;; ++at) {
      SCOPED_TRACE(std::string(request.name) + " after step " + std::to_string(at));
      OnItsWay host(GetParam());
      host.pair.begin();
      for (int step = 0; step < at; ++step) host.pair.step();
      const Phase phase = host.pair.source().phase();
      if (host.pair.old_end.is_over()) break;
      const Expected<void> granted = request.ask(*host.old_side.vm);
      ASSERT_TRUE(host.pair.finish());
      (granted ? granted_in : refused_in).insert(phase);
      if (granted) {
        expect_refused_then_taken(host, request);
      } else {
        EXPECT_EQ(granted.error().code, ErrorCode::bad_state) << granted.error().message();
      }
      ASSERT_TRUE(host.pair.new_end.done) << host.pair.old_end.text() << " / " << host.pair.new_end.text();
      EXPECT_EQ(request.ask(*host.old_side.vm).error().code, ErrorCode::bad_state) << "it was given away";
      if (std::string_view(request.name) != "a device goes") host.expect_interrupts(host.new_side);
    }
  }
  EXPECT_EQ(granted_in, (std::set{Phase::sending_table, Phase::waiting_for_target}));
  EXPECT_EQ(refused_in, (std::set{Phase::sending_state, Phase::waiting_for_answer}));
}

TEST_P(PlugDuring, W19_WhileTheRollBackWaitsForThePeerRequestsAreRefusedAndThenGranted) {
  for (const Request& request : requests({.cdev = GetParam()})) {
    SCOPED_TRACE(request.name);
    OnItsWay host(GetParam());
    host.pair.begin();
    ASSERT_TRUE(host.pair.run_to(TargetStep::waiting_for_word));
    host.pair.source().cancel();
    host.pair.step_old();
    ASSERT_EQ(host.pair.source().roll_back(), RollBack::waiting_for_peer);
    EXPECT_EQ(request.ask(*host.old_side.vm).error().code, ErrorCode::bad_state);
    EXPECT_EQ(request.ask(*host.new_side.vm).error().code, ErrorCode::bad_state) << "it has not arrived";
    ASSERT_TRUE(host.pair.finish());
    ASSERT_EQ(host.pair.source().roll_back(), RollBack::complete);
    host.new_process_ends();
    EXPECT_TRUE(request.ask(*host.old_side.vm));
    EXPECT_TRUE(request.undo(*host.old_side.vm));
    host.pair.begin();
    ASSERT_TRUE(host.pair.finish());
    EXPECT_TRUE(host.pair.new_end.done) << host.pair.old_end.text() << " / " << host.pair.new_end.text();
  }
}

/// What the request brought about goes along when the new side is made like the old one.
TEST_P(PlugDuring, W3_WhatCameOrWentBeforeAnAttemptGoesAlong) {
  for (const Request& request : requests({.cdev = GetParam()})) {
    SCOPED_TRACE(request.name);
    OnItsWay host(GetParam());
    ASSERT_TRUE(request.ask(*host.old_side.vm));
    Pair pair(host.machine, host.old_side, host.new_side, host.old_side.vm->config());
    pair.begin();
    ASSERT_TRUE(pair.finish());
    ASSERT_TRUE(pair.new_end.done) << pair.old_end.text() << " / " << pair.new_end.text();
    EXPECT_TRUE(request.undo(*host.new_side.vm));
  }
}

// A plug that fails

/// What there is of a VM, in it and in the kernel.
struct Facts {
  std::vector<std::pair<machine::ObjectKind, std::uint32_t>> objects{};  ///< of its iommufd
  std::vector<machine::TriggerFact> triggers{};
  std::vector<machine::IrqfdFact> irqfds{};
  std::size_t mappings = 0;
  std::uint32_t descriptors = 0;
  std::size_t entries = 0;
  std::size_t sections = 0;
  std::size_t participants = 0;
  std::size_t blockers = 0;
  std::size_t ranges = 0;
  bool operator==(const Facts&) const = default;
};

Facts facts_of(const machine::Machine& machine, Side& side) {
  const machine::Truth truth(machine);
  lifecycle::Life& life = side.vm->life();
  Facts facts{.triggers = truth.triggers(),
              .irqfds = truth.irqfds(),
              .mappings = truth.mappings().size(),
              .descriptors = truth.descriptors_open(*side.process),
              .entries = life.cpr.descriptors.size(),
              .sections = life.sections.size(),
              .participants = life.participants.size(),
              .blockers = life.blockers.size(),
              .ranges = side.vm->address_map().ranges().size()};
  const Expected<int> iommufd = life.cpr.descriptors.find({"iommufd0", 0});
  if (!iommufd) return facts;
  const auto& context = machine::iommufd_of(*machine::state_of(*side.process).table.find(*iommufd)->description);
  for (const auto* each = context.objects.first(); each != nullptr; each = each->next)
    facts.objects.emplace_back(each->kind, each->id);
  return facts;
}

/// By cdev or by group; how many calls in a row fail, as what is refused once is tried otherwise.
struct FailedPlug : testing::TestWithParam<std::tuple<bool, int>> {};
INSTANTIATE_TEST_SUITE_P(Of, FailedPlug, testing::Combine(testing::Bool(), testing::Values(1, 4, 1000)),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param) ? "ByCdev" : "ByGroup") +
                                  std::to_string(std::get<1>(each.param));
                         });

TEST_P(FailedPlug, LeavesEverythingAsItWasWhateverFaultMeetsWhicheverCall) {
  const auto [by_cdev, times] = GetParam();
  const Shape shape{.cdev = by_cdev};
  vm::Config config = config_of(shape);
  const vm::PciConfig edu = config.devices.back();
  config.devices.pop_back();
  int failed = 0;
  for (const machine::FaultRule& rule : machine::fault_table()) {
    for (int nth = 0;; ++nth) {
      SCOPED_TRACE(std::string(rule.name) + " from call " + std::to_string(nth) + " on, " + std::to_string(times));
      machine::Machine machine;
      plug_devices(machine);
      Side side(machine.spawn());
      ASSERT_TRUE(side.build(config));
      const Facts before = facts_of(machine, side);
      bool is_beyond = false;
      bool plugged = false;
      {
        const FaultAtNth fault(machine, rule, nth, times);
        plugged = side.vm->plug(edu).has_value();
        is_beyond = fault.is_beyond();
      }
      if (is_beyond) break;
      failed += plugged ? 0 : 1;
      ASSERT_TRUE(!plugged || side.vm->unplug(kEdu));
      EXPECT_EQ(facts_of(machine, side), before);
      EXPECT_TRUE(side.vm->plug(edu));
    }
  }
  EXPECT_GE(failed, 10);
}

}  // namespace
}  // namespace vcpr::handover
