// A VM's part that devices see, in one process of the simulated machine, for tests.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/lifecycle/life_testing.hpp"
#include "engine/memory/address_map.hpp"
#include "engine/memory/ram_block.hpp"
#include "engine/vfio/device.hpp"
#include "engine/vfio/group.hpp"
#include "engine/vfio/iommufd.hpp"
#include "engine/vfio/iommufd_container.hpp"
#include "properties/machine/machine.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::vfio {

/// Interrupts that user space delivers go nowhere.
class NoInterrupts final : public kvm::InterruptSink {
 public:
  Expected<void> send_message(const kvm::MsiMessage&) override { return {}; }
  Expected<void> set_line(std::uint32_t, bool) override { return {}; }
};

inline std::string text_of(const Expected<void>& result) {
  return result ? "" : result.error().message();
}

/// A VM with 64 pages of RAM at 0 and 16 at 1 MiB, in a process of its own or in one that is handed over to. Devices go
/// before the rest.
struct TestVm {
  static constexpr std::uint64_t kPages = 64;
  static constexpr std::uint64_t kHigh = 0x100000;

  explicit TestVm(machine::Process& in, lifecycle::Incoming incoming = lifecycle::Incoming::none,
                  store::CprState arrived = {})
      : process(in), test_life(in.kernel(), incoming), life(test_life.life) {
    life.cpr = std::move(arrived);
    if (incoming != lifecycle::Incoming::none) life.run_state = lifecycle::RunState::inmigrate;
    ram.emplace(life);
    vm.emplace(life, memory, nullptr, interrupts);
  }
  ~TestVm() { devices.clear(); }
  TestVm(const TestVm&) = delete;
  TestVm& operator=(const TestVm&) = delete;

  memory::RamBlock* add_ram(std::string_view name = "ram", memory::Backing backing = memory::Backing::memfd) {
    Expected<memory::RamBlock*> block = ram->allocate(name, kPages * memory::kPageBytes, backing);
    EXPECT_TRUE(block) << block.error().message();
    return block ? *block : nullptr;
  }
  /// Low memory, a hole, high memory.
  void add_ranges(memory::RamBlock& block) {
    const std::uint64_t half = block.size / 2;
    EXPECT_EQ(text_of(memory.add({.address = 0, .size = half, .block = &block})), "");
    EXPECT_EQ(text_of(memory.add({.address = kHigh, .size = half, .block = &block, .offset = half})), "");
  }
  Expected<Device*> attach(const DeviceConfig& config) {
    Expected<std::unique_ptr<Device>> device = Device::attach(*vm, config);
    if (!device) return std::unexpected(std::move(device.error()));
    return devices.emplace_back(std::move(*device)).get();
  }
  /// The guest is stopped and everybody lets go.
  Expected<void> let_go(lifecycle::Mode mode = lifecycle::Mode::cpr_transfer) {
    life.run_state = lifecycle::RunState::finish_migrate;
    return life.participants.let_go(mode);
  }
  Expected<void> take_over() { return life.participants.take_over(lifecycle::Mode::cpr_transfer); }
  void run() {
    life.incoming = lifecycle::Incoming::none;
    life.run_state = lifecycle::RunState::running;
  }
  void give_away() {
    life.participants.done();
    life.run_state = lifecycle::RunState::postmigrate;
  }

  machine::Process& process;
  lifecycle::TestLife test_life;
  lifecycle::Life& life;
  memory::AddressMap memory;
  std::optional<memory::RamBlocks> ram;
  NoInterrupts interrupts;
  std::optional<Vm> vm;
  std::vector<std::unique_ptr<Device>> devices;
};

/// What process `to` gets of `state`, which is process `from`'s: each descriptor under a number of its own, as
/// SCM_RIGHTS makes them. No call of either.
inline store::CprState arrive(const store::CprState& state, machine::Process& from, machine::Process& to) {
  store::CprState arrived;
  machine::ProcessState& target = machine::state_of(to);
  for (const store::Entry entry : state.descriptors) {
    machine::Description& description = *machine::state_of(from).table.find(entry.number)->description;
    machine::acquire(description);
    const std::uint32_t number = target.table.lowest_free();
    target.table.put(target.machine.arena, number, description, true);
    EXPECT_TRUE(arrived.descriptors.save(entry.key, os::Fd(to.kernel(), static_cast<int>(number))));
  }
  for (const store::DeviceRecords::Record record : state.devices)
    EXPECT_TRUE(arrived.devices.add(record.device, record.ids));
  return arrived;
}

}  // namespace vcpr::vfio
