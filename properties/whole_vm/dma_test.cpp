// Window W21: a device writes and reads the guest's memory whenever it likes, in the middle of a handover too.
#include <algorithm>
#include <gtest/gtest.h>

#include "properties/machine/pci/edu.hpp"
#include "properties/machine/pci/guest.hpp"
#include "properties/machine/truth.hpp"
#include "properties/whole_vm/rig.hpp"

namespace vcpr::whole_vm {
namespace {

using lifecycle::Mode;
using machine::Edu;

constexpr std::uint64_t kFrom = 0x3000;  ///< guest physical
constexpr std::uint64_t kTo = 0x6000;
constexpr std::size_t kBytes = 256;

std::vector<std::byte> pattern() {
  std::vector<std::byte> bytes(kBytes);
  for (std::size_t i = 0; i < kBytes; ++i) bytes[i] = static_cast<std::byte>(0xa5 ^ i);
  return bytes;
}

/// A VM with an edu whose buffer holds the pattern, and which is about to write it to the guest's memory.
struct UnderWay {
  explicit UnderWay(const Shape& shape) : rig(shape) {
    const Expected<void> booted = rig.boot();
    EXPECT_TRUE(booted) << booted.error().message();
    EXPECT_TRUE(rig.owner()->process.store(place(kFrom), pattern()));
    start(kFrom, Edu::kBuffer, 0);
    EXPECT_TRUE(machine::complete_dma(rig.machine(), 0));
    start(Edu::kBuffer, kTo, Edu::kFromDevice | Edu::kInterruptAtEnd);
    mapped = pages();
  }
  /// What the driver of the guest does.
  void start(std::uint64_t source, std::uint64_t destination, std::uint64_t direction) {
    vfio::PciDevice& edu = *rig.owner()->vm->device(rig.config().devices.front().device.name);
    const std::array<std::pair<std::uint64_t, std::uint64_t>, 4> registers{{{Edu::kSource, source},
                                                                            {Edu::kDestination, destination},
                                                                            {Edu::kCount, kBytes},
                                                                            {Edu::kDmaCommand, direction | Edu::kRun}}};
    for (const auto& [offset, value] : registers)
      EXPECT_TRUE(edu.write_bar(0, offset, std::as_bytes(std::span(&value, 1))));
  }
  /// Where the owner's process has an address of the first block of the guest's memory.
  os::UserAddr place(std::uint64_t address) { return rig.owner()->vm->ram().all().front().host + address; }
  /// What the device reaches, wherever: iova, memory, page.
  std::vector<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>> pages() {
    std::vector<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>> all;
    for (const machine::MappingFact& each : machine::Truth(rig.machine()).mappings()) {
      EXPECT_TRUE(each.is_pinned);
      all.emplace_back(each.iova, each.memory, each.page);
    }
    return all;
  }
  /// The transfer ends here, in the middle of whatever is going on.
  void complete() {
    EXPECT_EQ(pages(), mapped);
    EXPECT_TRUE(machine::complete_dma(rig.machine(), 0));
    const auto& dma = machine::Truth(rig.machine()).dma();
    dma.for_each([](const machine::DmaAccess& each) { EXPECT_TRUE(each.done); });
  }
  void expect_arrived() {
    rig.settle();
    ASSERT_NE(rig.owner(), nullptr);
    std::vector<std::byte> found(kBytes);
    ASSERT_TRUE(rig.owner()->process.load(place(kTo), found));
    EXPECT_EQ(found, pattern());
    EXPECT_EQ(pages(), mapped);
    EXPECT_GE(rig.guest().lines().front().handled, 1u) << "the interrupt at its end";
  }

  Rig rig;
  std::vector<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>> mapped;
};

/// Where there is nothing to be seen yet, or any more, is no boundary: the calls of an attempt without events.
std::uint64_t calls_of(const Shape& shape, Mode mode) {
  UnderWay vm(shape);
  const Outcome outcome = vm.rig.hand_over({.mode = mode});
  EXPECT_FALSE(outcome.old_error) << outcome.old_error->message();
  return outcome.calls;
}

struct DmaUnderWay : testing::TestWithParam<std::tuple<Backend, bool>> {
  Shape shape() const {
    return {.devices = {{machine::DeviceModel::edu, std::get<0>(GetParam()), Interrupt::msi}},
            .kvm = std::get<1>(GetParam()),
            .ram_blocks = 2};
  }
};
INSTANTIATE_TEST_SUITE_P(Of, DmaUnderWay,
                         testing::Combine(testing::Values(Backend::legacy, Backend::iommufd), testing::Bool()),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param) == Backend::legacy ? "Legacy" : "Iommufd") +
                                  (std::get<1>(each.param) ? "Kvm" : "UserSpace");
                         });

TEST_P(DmaUnderWay, W21_EndsInTheGuestsMemoryAtWhicheverCall) {
  for (const Mode mode : {Mode::cpr_transfer, Mode::cpr_exec}) {
    const std::uint64_t calls = calls_of(shape(), mode);
    for (std::uint64_t at = 0; at < calls && !HasFailure(); ++at) {
      SCOPED_TRACE(std::string(name(mode)) + ", call " + std::to_string(at));
      UnderWay vm(shape());
      const Outcome outcome =
          vm.rig.hand_over({.mode = mode, .events = {{.at = at, .action = [&](Rig&) { vm.complete(); }}}});
      EXPECT_FALSE(outcome.old_error);
      EXPECT_EQ(vm.rig.owner(), vm.rig.new_owner());
      vm.expect_arrived();
    }
  }
}

TEST_P(DmaUnderWay, W21_EndsInTheGuestsMemoryThoughTheNewProcessDiesAtThatCall) {
  const std::uint64_t calls = calls_of(shape(), Mode::cpr_transfer);
  for (std::uint64_t at = 0; at < calls && !HasFailure(); ++at) {
    SCOPED_TRACE("call " + std::to_string(at));
    UnderWay vm(shape());
    const auto happens = [&](Rig& rig) {
      if (rig.new_owner() != nullptr && !rig.new_owner()->vcpus.running()) rig.kill(*rig.new_owner());
      vm.complete();
    };
    (void)vm.rig.hand_over({.events = {{.at = at, .action = happens}}});
    if (vm.rig.owner() != nullptr) {
      vm.expect_arrived();
    } else {
      EXPECT_EQ(vm.rig.old_owner()->vm->life().run_state, lifecycle::RunState::postmigrate) << "it died with the VM";
    }
  }
}

}  // namespace
}  // namespace vcpr::whole_vm
