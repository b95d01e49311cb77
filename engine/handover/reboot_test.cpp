// cpr-reboot of VMs with devices: only a guest that sleeps is rebooted, its memory and its controllers come from a
// file, its devices are opened anew.
#include <gtest/gtest.h>

#include "engine/handover/guest_testing.hpp"

namespace vcpr::handover {
namespace {

using lifecycle::Mode;
using lifecycle::RunState;
using machine::Process;

/// A file that outlives the processes, and a VM that may go into it.
struct RebootHost {
  explicit RebootHost(const Shape& its_shape) : shape(its_shape), config(config_of(shape)) {
    plug_devices(machine);
    file = shell.kernel().memfd_create("saved", 0).value_or(-1);
    old_side = std::make_unique<Side>(machine.fork(shell));
    Expected<void> built = old_side->build(config);
    EXPECT_TRUE(built) << built.error().message();
    EXPECT_TRUE(vm().start());
    EXPECT_TRUE(Guest(machine, *old_side).boot(shape));
  }
  vm::VirtualMachine& vm() { return *old_side->vm; }

  Expected<Advance> save() {
    SourceOptions options;
    options.mode = Mode::cpr_reboot;
    options.main_file = file;
    Source source(vm(), options);
    Expected<Advance> saved = source.advance();
    roll_back = source.roll_back();
    return saved;
  }
  /// In a process of its own, up to its vCPUs.
  Expected<std::unique_ptr<Side>> load() {
    auto next = std::make_unique<Side>(machine.fork(shell));
    TargetOptions options;
    options.mode = Mode::cpr_reboot;
    options.main_file = file;
    Target target(*next->kernel, options);
    Expected<Advance> ready = target.advance();
    if (!ready) return std::unexpected(std::move(ready.error()));
    Expected<void> built = next->build(config);
    if (built) built = target.attach(*next->vm);
    if (!built) return std::unexpected(std::move(built.error()));
    Expected<Advance> loaded = target.advance();
    if (!loaded) return std::unexpected(std::move(loaded.error()));
    return next;
  }
  void expect_interrupts(Side& side) {
    Guest guest(machine, side);
    guest.raise_all();
    const std::multiset<int> handled = guest.handle();
    for (int vector : Guest::expected(shape)) EXPECT_EQ(handled.count(vector), 1u) << vector;
  }
  /// Each mapping is `process`'s, and shows its memory.
  void expect_mapped_by(Process& process) {
    const auto mappings = truth.mappings();
    EXPECT_FALSE(mappings.empty());
    for (const machine::MappingFact& mapping : mappings) {
      EXPECT_EQ(mapping.owner, &process) << mapping.iova;
      EXPECT_TRUE(mapping.vaddr_valid) << mapping.iova;
    }
  }

  Shape shape;
  vm::Config config;
  machine::Machine machine;
  machine::Truth truth{machine};
  Process& shell = machine.spawn();
  int file = -1;
  std::unique_ptr<Side> old_side;
  RollBack roll_back{};
};

struct Reboot : testing::TestWithParam<std::tuple<bool, bool>> {
  Shape shape() const { return {.kvm = std::get<0>(GetParam()), .cdev = std::get<1>(GetParam())}; }
};
INSTANTIATE_TEST_SUITE_P(Of, Reboot, testing::Combine(testing::Bool(), testing::Bool()), [](const auto& each) {
  return std::string(std::get<0>(each.param) ? "Kvm" : "UserSpace") + (std::get<1>(each.param) ? "ByCdev" : "ByGroup");
});

TEST_P(Reboot, AGuestThatIsAwakeIsRefusedAndRunsOn) {
  RebootHost host(shape());
  Expected<Advance> saved = host.save();
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::bad_state);
  EXPECT_NE(saved.error().text.find("only a suspended one"), std::string::npos) << saved.error().message();
  EXPECT_EQ(host.roll_back, RollBack::not_needed);
  EXPECT_EQ(host.old_side->run_state(), RunState::running);
  EXPECT_TRUE(host.old_side->vcpus.running);
  ASSERT_TRUE(host.vm().pause());
  EXPECT_FALSE(host.save()) << "paused is not asleep";
  EXPECT_EQ(host.old_side->run_state(), RunState::paused);
  ASSERT_TRUE(host.vm().start());
  host.expect_interrupts(*host.old_side);
}

TEST_P(Reboot, TheNewProcessOpensTheDevicesAnewAndTheGuestSetsThemUp) {
  RebootHost host(shape());
  const memory::RamBlock& block = *host.vm().ram().find("ram0");
  const std::vector<std::byte> page(4096, std::byte{0x5a});
  ASSERT_TRUE(host.old_side->process->store(os::UserAddr(block.host.value() + 4096), page));
  Guest(host.machine, *host.old_side).raise_all();  // and nobody handles them: they wait in the controllers
  ASSERT_TRUE(host.vm().suspend());
  Expected<Advance> saved = host.save();
  ASSERT_TRUE(saved && saved->done) << saved.error().message();
  EXPECT_EQ(host.old_side->run_state(), RunState::postmigrate);
  host.old_side->vm.reset();
  EXPECT_EQ(host.truth.mappings().size(), 0u);
  EXPECT_EQ(host.truth.irqfds().size(), 0u);

  auto loaded = host.load();
  ASSERT_TRUE(loaded) << loaded.error().message();
  Side& next = **loaded;
  EXPECT_EQ(next.run_state(), RunState::suspended);
  host.expect_mapped_by(*next.process);
  std::vector<std::byte> read(page.size());
  ASSERT_TRUE(next.process->load(os::UserAddr(next.vm->ram().find("ram0")->host.value() + 4096), read));
  EXPECT_EQ(read, page);
  if (host.shape.kvm) {
    const std::multiset<int> waited = Guest(host.machine, next).handle();
    for (int vector : Guest::expected(host.shape)) EXPECT_EQ(waited.count(vector), 1u) << vector;
  }
  ASSERT_TRUE(next.vm->wake_up());
  ASSERT_TRUE(Guest(host.machine, next).boot(host.shape)) << "its drivers resume";
  host.expect_interrupts(next);
  Side third(host.machine.spawn());
  Pair transfer(host.machine, next, third, host.config);
  transfer.begin();
  ASSERT_TRUE(transfer.finish());
  ASSERT_TRUE(transfer.new_end.done) << transfer.new_end.text();
  host.expect_interrupts(third);
}

TEST_P(Reboot, AGuestThatWasPausedInItsSleepIsRebootedToo) {
  RebootHost host(shape());
  ASSERT_TRUE(host.vm().suspend());
  ASSERT_TRUE(host.vm().pause());
  Expected<Advance> saved = host.save();
  ASSERT_TRUE(saved && saved->done) << saved.error().message();
  host.old_side->process->kill();
  auto loaded = host.load();
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ((*loaded)->run_state(), RunState::paused);
  ASSERT_TRUE((*loaded)->vm->start());
  EXPECT_EQ((*loaded)->run_state(), RunState::suspended) << "it sleeps on";
}

/// Their descriptors stay behind, so what describes them would be of no use.
TEST_P(Reboot, TheStreamHasNoSectionThatOnlyDescriptorsGiveAMeaning) {
  RebootHost host(shape());
  const auto named = [&](Mode mode, std::string_view idstr) {
    const vmstate::SectionTable& table = **host.vm().sections(mode);
    return table.find(idstr, 0) != nullptr;
  };
  const char* container = host.shape.cdev ? "iommufd" : "vfio-container";
  for (const char* idstr : {container, "0000:00:01.0/vfio-cpr-pci"}) {
    EXPECT_TRUE(named(Mode::cpr_transfer, idstr)) << idstr;
    EXPECT_FALSE(named(Mode::cpr_reboot, idstr)) << idstr;
  }
  for (const char* idstr : {"ram", "globalstate"}) EXPECT_TRUE(named(Mode::cpr_reboot, idstr)) << idstr;
  EXPECT_EQ(named(Mode::cpr_reboot, "apic"), host.shape.kvm);
}

TEST_P(Reboot, ANewProcessThatComesTooEarlyIsRefusedAndLeavesNothing) {
  RebootHost host(shape());
  ASSERT_TRUE(host.vm().suspend());
  ASSERT_TRUE(host.save());
  const std::size_t mapped = host.truth.mappings().size();
  auto early = host.load();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().os, host.shape.cdev ? os::Errno::einval : os::Errno::ebusy) << early.error().message();
  EXPECT_EQ(host.truth.mappings().size(), mapped);
  host.old_side->vm.reset();
  EXPECT_TRUE(host.load());
}

/// Of each call, the first few; the others are the same for another page.
constexpr int kOfEachCall = 4;

/// Those that a save makes.
std::set<machine::Call> calls_of_a_save(const Shape& shape) {
  RebootHost host(shape);
  EXPECT_TRUE(host.vm().suspend());
  std::array<std::uint32_t, machine::kCallCount> before{};
  const auto count = [&](std::size_t call) {
    return host.truth.calls_of(*host.old_side->process, static_cast<machine::Call>(call));
  };
  for (std::size_t call = 0; call < before.size(); ++call) before[call] = count(call);
  EXPECT_TRUE(host.save());
  std::set<machine::Call> made;
  for (std::size_t call = 0; call < before.size(); ++call) {
    if (count(call) != before[call]) made.insert(static_cast<machine::Call>(call));
  }
  return made;
}

/// The controllers of a guest that sleeps are read first, when nothing has been let go.
bool is_before_the_stop(machine::FaultPoint point) {
  return point == machine::FaultPoint::ioctl_get_lapic_enomem || point == machine::FaultPoint::ioctl_get_irqchip_enomem;
}

TEST_P(Reboot, I42_ASaveThatFailsLeavesTheGuestAsleepWithItsDevices) {
  const std::set<machine::Call> calls = calls_of_a_save(shape());
  int failed = 0;
  for (const machine::FaultRule& rule : machine::fault_table()) {
    if (!calls.contains(rule.call)) continue;
    for (int at = 0; at < kOfEachCall; ++at) {
      RebootHost host(shape());
      ASSERT_TRUE(host.vm().suspend());
      bool saved = false;
      {
        const FaultAtNth fault(host.machine, rule, at);
        saved = host.save().has_value();
      }
      if (saved) continue;
      SCOPED_TRACE(std::string(rule.name) + " at call " + std::to_string(at));
      ++failed;
      EXPECT_EQ(host.roll_back, is_before_the_stop(rule.point) ? RollBack::not_needed : RollBack::complete);
      ASSERT_EQ(host.old_side->run_state(), RunState::suspended);
      ASSERT_TRUE(host.vm().wake_up());
      host.expect_interrupts(*host.old_side);
      host.expect_mapped_by(*host.old_side->process);
      ASSERT_TRUE(host.vm().suspend());
      ASSERT_TRUE(host.save()) << "the next time";
      host.old_side->vm.reset();
      ASSERT_TRUE(host.load());
    }
  }
  EXPECT_GE(failed, 3);
}

}  // namespace
}  // namespace vcpr::handover
