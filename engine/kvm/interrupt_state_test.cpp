// The interrupt controllers' part in a handover: nothing that was signalled is lost on the way from KVM to KVM.
#include "engine/kvm/interrupt_state.hpp"

#include <functional>
#include <random>

#include "engine/kvm/kvm_testing.hpp"
#include "engine/kvm/sections/apic.hpp"
#include "engine/kvm/sections/i8259.hpp"
#include "engine/lifecycle/life_testing.hpp"
#include "engine/vmstate/main_stream.hpp"

namespace vcpr::kvm {
namespace {

namespace abi = os::abi;
using lifecycle::Mode;
using os::Errno;
using testing::FailingKernel;
using testing::message_of;
using testing::Side;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kVcpus = 2;
constexpr std::uint8_t kVector = 0x51;
constexpr std::uint32_t kPin = 20;
constexpr std::uint32_t kLevel = 1 << 15;
constexpr std::uint8_t kPinRegister = 0x10 + 2 * kPin;

vmstate::Configuration q35() {
  vmstate::Configuration configuration;
  configuration.machine = "pc-q35-10.2";
  return configuration;
}

/// One VM with its interrupt state, GSI 24 a message to vCPU 0, and an eventfd.
struct Guest {
  explicit Guest(machine::Machine& host, std::uint32_t vcpus = kVcpus) : Guest(Side(host, vcpus)) {}
  explicit Guest(Side&& of)
      : side(std::move(of)), life(side.kernel), state(*InterruptState::attach(life.life, side.vm)) {
    EXPECT_EQ(side.vm.add_message_route(message_of(kVector)), 24u);
    EXPECT_TRUE(side.vm.commit_routes());
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  Bytes save() {
    wire::Outbox out;
    wire::Writer writer(out);
    EXPECT_TRUE(vmstate::save_main_stream(q35(), life.life.sections, {}, writer));
    return out.bytes;
  }
  /// "" or the refusal.
  std::string load(std::span<const std::byte> bytes) {
    wire::Reader in(bytes);
    auto facts = vmstate::load_main_stream(q35(), life.life.sections, in);
    return facts ? "" : facts.error().message();
  }
  /// All of what `old` has, up to the point where irqfds may be assigned.
  void inherit(Guest& old) {
    ASSERT_TRUE(old.life.life.participants.let_go(Mode::cpr_transfer));
    ASSERT_EQ(load(old.save()), "");
    ASSERT_TRUE(life.life.participants.check_loaded(Mode::cpr_transfer));
    ASSERT_TRUE(life.life.participants.take_over(Mode::cpr_transfer));
  }

  Side side;
  lifecycle::TestLife life;
  std::unique_ptr<InterruptState> state;
};

struct InterruptStateTest : ::testing::Test {
  InterruptStateTest() { old.side.enable_apics(); }
  machine::Machine host;
  Guest old{host};
  const int fd = old.side.eventfd();
  Guest heir{testing::heir_of(old.side)};
};

TEST_F(InterruptStateTest, ASignalBeforeTheIrqfdGoesIsTakenInTheNewVm) {
  ASSERT_TRUE(old.side.vm.assign_irqfd(fd, 24));
  old.side.signal(fd);
  ASSERT_TRUE(old.side.vm.deassign_irqfd(fd, 24));
  heir.inherit(old);
  ASSERT_TRUE(heir.side.vm.assign_irqfd(fd, 24));
  EXPECT_EQ(heir.side.take(), kVector);
  EXPECT_EQ(machine::end_interrupt(heir.side.vcpu()), kVector);
  EXPECT_EQ(heir.side.take(), machine::kNoVector) << "once";
}

TEST_F(InterruptStateTest, ASignalAfterTheIrqfdWentIsTakenInTheNewVm) {
  ASSERT_TRUE(old.side.vm.assign_irqfd(fd, 24) && old.side.vm.deassign_irqfd(fd, 24));
  old.side.signal(fd);
  heir.inherit(old);
  ASSERT_TRUE(heir.side.vm.assign_irqfd(fd, 24));
  EXPECT_EQ(heir.side.take(), kVector);
}

/// What the order of the steps is for: this is how an interrupt is lost.
TEST_F(InterruptStateTest, W15_AnIrqfdBeforeTheControllersStateLosesItsSignal) {
  old.side.signal(fd);
  heir.side.enable_apics();
  ASSERT_TRUE(heir.side.vm.assign_irqfd(fd, 24));
  heir.inherit(old);
  EXPECT_EQ(heir.side.take(), machine::kNoVector);
}

TEST_F(InterruptStateTest, W4_AnIrqfdThatGoesAfterTheControllersWereReadLosesItsSignal) {
  ASSERT_TRUE(old.side.vm.assign_irqfd(fd, 24));
  ASSERT_TRUE(old.state->let_go(Mode::cpr_transfer));
  old.side.signal(fd);
  ASSERT_TRUE(old.side.vm.deassign_irqfd(fd, 24));
  ASSERT_EQ(heir.load(old.save()), "");
  ASSERT_TRUE(heir.state->take_over() && heir.side.vm.assign_irqfd(fd, 24));
  EXPECT_EQ(heir.side.take(), machine::kNoVector);
}

TEST_F(InterruptStateTest, AnInterruptInServiceEndsInTheNewVm) {
  machine::write_ioapic(old.side.inside(), kPinRegister, kVector | kLevel);
  ASSERT_TRUE(old.side.vm.set_line(kPin, true));
  ASSERT_EQ(old.side.take(), kVector);
  heir.inherit(old);
  EXPECT_EQ(heir.side.take(), machine::kNoVector) << "it is being served";
  EXPECT_EQ(machine::end_interrupt(heir.side.vcpu()), kVector);
  EXPECT_EQ(heir.side.take(), kVector) << "the line is still high";
  ASSERT_TRUE(heir.side.vm.set_line(kPin, false));
  EXPECT_EQ(machine::end_interrupt(heir.side.vcpu()), kVector);
  EXPECT_EQ(heir.side.take(), machine::kNoVector);
}

TEST_F(InterruptStateTest, WhatWaitsInTheIoapicIsSentToAnApicThatHasItsState) {
  old.side.vcpu().lapic.write(machine::ApicRegister::spurious, 0xff);
  machine::write_ioapic(old.side.inside(), kPinRegister, kVector | kLevel);
  ASSERT_TRUE(old.side.vm.set_line(kPin, true));
  old.side.enable_apics();
  heir.inherit(old);
  EXPECT_EQ(heir.side.take(), kVector);
}

/// An edge on a pin, raised within the machine before the call of this number.
class EdgeAt final : public machine::Schedule {
 public:
  EdgeAt(Side& side, std::uint64_t call) : side_(side), call_(call) { side_.host.set_schedule(this); }
  EdgeAt(const EdgeAt&) = delete;
  EdgeAt& operator=(const EdgeAt&) = delete;
  ~EdgeAt() override { side_.host.set_schedule(nullptr); }
  machine::FaultPoint before(const machine::CallSite& site) override {
    for (bool high : {true, false})
      if (site.number == call_) (void)machine::set_irq(side_.inside(), machine::LineSource::user, kPin, high);
    return machine::FaultPoint::none;
  }

 private:
  Side& side_;
  std::uint64_t call_;
};

/// KVM has sources of its own, a timer (i8254), that do not ask whether a handover is under way.
TEST_F(InterruptStateTest, AnEdgeWhileTheChipsAreReadIsInTheLocalApic) {
  for (std::uint64_t call = 0; call < 4; ++call) {
    machine::Machine world;
    Guest first(world);
    first.side.enable_apics();
    machine::write_ioapic(first.side.inside(), kPinRegister, kVector);
    Guest second(world);
    {
      const EdgeAt edge(first.side, world.calls() + call);
      second.inherit(first);
    }
    EXPECT_EQ(second.side.take(), kVector) << "before call " << call;
  }
}

TEST_F(InterruptStateTest, AnyPageArrivesButForWhatASectionCannotCarry) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 100; ++round) {
    std::vector<abi::kvm_lapic_state> pages(kVcpus);
    for (std::uint32_t id = 0; id < kVcpus; ++id) {
      for (char& each : pages[id].regs) each = static_cast<char>(random());
      pages[id].regs[0x23] = static_cast<char>(id);
      ASSERT_TRUE(old.side.vm.set_lapic(id, pages[id]));
    }
    heir.inherit(old);
    ASSERT_TRUE(old.life.life.participants.take_back());
    heir.life.life.participants.give_up();
    for (std::uint32_t id = 0; id < kVcpus; ++id) {
      Apic there, here;
      abi::kvm_lapic_state page;
      ASSERT_TRUE(old.side.vm.get_lapic(id, page));
      read_page(page, there);
      ASSERT_TRUE(heir.side.vm.get_lapic(id, page));
      read_page(page, here);
      const abi::kvm_lapic_state one = page_of(there), other = page_of(here);
      ASSERT_EQ(std::memcmp(one.regs, other.regs, sizeof one.regs), 0) << "round " << round << " vCPU " << id;
    }
  }
}

TEST_F(InterruptStateTest, ChipsArriveWhole) {
  abi::kvm_irqchip pic{};
  pic.chip_id = abi::kvm_irqchip_pic_slave;
  pic.chip.pic = {.imr = 0x8e, .irq_base = 0x70, .init4 = 1, .elcr = 0x0c, .elcr_mask = 0xde};
  const abi::kvm_pic_state set = pic.chip.pic;
  ASSERT_TRUE(old.side.vm.set_irqchip(pic));
  machine::write_ioapic(old.side.inside(), kPinRegister + 1, 0x01000000);
  heir.inherit(old);
  ASSERT_TRUE(heir.side.vm.get_irqchip(pic));
  EXPECT_EQ(std::memcmp(&set, &pic.chip.pic, sizeof set), 0);
  const auto there = machine::get_ioapic(old.side.inside()), here = machine::get_ioapic(heir.side.inside());
  EXPECT_EQ(std::memcmp(&there, &here, sizeof there), 0);
}

TEST_F(InterruptStateTest, WhatOnlyTheStreamCarriesGoesDownTheChain) {
  EXPECT_EQ(old.state->apic_base(0), 0xfee00900u) << "the bootstrap processor's";
  EXPECT_EQ(old.state->apic_base(1), 0xfee00800u);
  old.state->set_apic_base(1, 0xfee00c00);
  heir.inherit(old);
  EXPECT_EQ(heir.state->apic_base(1), 0xfee00c00u);
  const Bytes first = heir.save();
  Guest third(host);
  third.inherit(heir);
  EXPECT_EQ(third.save(), first);
}

TEST_F(InterruptStateTest, SectionsStandInQemusOrder) {
  const auto order = old.life.life.sections.in_order();
  std::vector<std::string> names;
  for (const vmstate::Section* each : order) names.push_back(each->text());
  EXPECT_EQ(names, (std::vector<std::string>{"\"apic\" instance 0", "\"apic\" instance 1", "\"i8259\" instance 0",
                                             "\"i8259\" instance 1", "\"ioapic\" instance 0"}));
}

TEST_F(InterruptStateTest, TakesPartInEveryMode) {
  for (Mode mode : {Mode::normal, Mode::cpr_reboot, Mode::cpr_transfer, Mode::cpr_exec}) {
    const std::uint64_t before = host.calls();
    EXPECT_TRUE(old.life.life.participants.let_go(mode));
    EXPECT_EQ(host.calls(), before + 3 + kVcpus) << lifecycle::name(mode);
    EXPECT_TRUE(old.life.life.participants.take_back());
    EXPECT_EQ(host.calls(), before + 3 + kVcpus) << "reading has taken nothing away";
  }
}

TEST_F(InterruptStateTest, AStreamOfMoreOrFewerVcpusIsRefused) {
  Guest one(host, 1);
  EXPECT_TRUE(one.load(old.save()).starts_with("unknown_section"));
  EXPECT_TRUE(old.load(one.save()).starts_with("missing_section"));
}

TEST_F(InterruptStateTest, WhatDoesNotFitIsRefusedBeforeAnyCall) {
  const auto refused = [&](const std::function<void(Guest&)>& spoil) {
    Guest writer(host);
    spoil(writer);
    EXPECT_TRUE(writer.state->let_go(Mode::cpr_transfer));
    Guest reader(host);
    EXPECT_EQ(reader.load(writer.save()), "");
    const std::uint64_t before = host.calls();
    auto checked = reader.life.life.participants.check_loaded(Mode::cpr_transfer);
    EXPECT_EQ(host.calls(), before);
    return checked ? "" : checked.error().message();
  };
  EXPECT_EQ(refused([](Guest&) {}), "");
  EXPECT_EQ(refused([](Guest& g) { g.side.vcpu(1).lapic.write(machine::ApicRegister::id, 7u << 24); }),
            "bad_value: interrupt controllers: apic instance 1: id is 7, the vCPU's is 1");
  EXPECT_EQ(refused([](Guest& g) { g.side.inside().pic.chips[0].elcr = 4; }),
            "bad_value: interrupt controllers: i8259 instance 0: elcr is 0x4, a guest can set 0xf8");
}

TEST_F(InterruptStateTest, AFailingCallIsNamedAndTheStepCanBeMadeAgain) {
  machine::Process& process = host.spawn();
  FailingKernel kernel(process.kernel());
  auto vm = Vm::create(kernel, kVcpus);
  ASSERT_TRUE(vm);
  lifecycle::TestLife life(kernel);
  auto state = InterruptState::attach(life.life, *vm);
  ASSERT_TRUE(state);
  const auto fails_everywhere = [&](const std::function<Expected<void>()>& step) {
    for (std::uint32_t at = 0; at < 3 + kVcpus; ++at) {
      kernel.fails_at = kernel.calls + at;
      auto done = step();
      ASSERT_FALSE(done) << at;
      EXPECT_EQ(done.error().os, Errno::enomem);
      EXPECT_TRUE(done.error().text.contains("LAPIC") || done.error().text.contains("IRQCHIP"));
    }
    kernel.fails_at.reset();
    EXPECT_TRUE(step());
  };
  fails_everywhere([&] { return (*state)->let_go(Mode::cpr_transfer); });
  fails_everywhere([&] { return (*state)->take_over(); });
}

TEST_F(InterruptStateTest, SectionsBelongToOneAndGoWithIt) {
  auto second = InterruptState::attach(old.life.life, old.side.vm);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::duplicate_key);
  EXPECT_EQ(old.life.life.sections.size(), kVcpus + 3);
  EXPECT_EQ(old.life.life.participants.size(), 1u);
  old.state.reset();
  EXPECT_EQ(old.life.life.sections.size(), 0u);
  EXPECT_EQ(old.life.life.participants.size(), 0u);
  EXPECT_TRUE(InterruptState::attach(old.life.life, old.side.vm));
}

/// A stranger's "ioapic" is the last that attach() meets: the others go again, the stranger's stays.
TEST_F(InterruptStateTest, AnAttachThatFailsHalfWayLeavesTheTableAsItWas) {
  old.state.reset();
  I8259 stranger;
  ASSERT_TRUE(old.life.life.sections.add("ioapic", 0, kI8259, stranger));
  EXPECT_FALSE(InterruptState::attach(old.life.life, old.side.vm));
  EXPECT_EQ(old.life.life.sections.size(), 1u);
  EXPECT_NE(old.life.life.sections.find("ioapic", 0), nullptr);
}

}  // namespace
}  // namespace vcpr::kvm
