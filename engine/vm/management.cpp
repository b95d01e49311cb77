// What the management asks of a VM.
#include <algorithm>
#include <utility>

#include "engine/vm/virtual_machine.hpp"

namespace vcpr::vm {

using lifecycle::RunState;

namespace {

std::unexpected<Error> refuse_in(RunState state, std::string_view what) {
  return refuse(ErrorCode::bad_state, {what, " of a VM that is ", name(state)});
}

}  // namespace

/// vCPUs first: on error nothing has changed.
Expected<void> VirtualMachine::run(RunState state) {
  if (is_live(state)) {
    if (Expected<void> resumed = life_.vcpus.resume(); !resumed) return resumed;
  }
  life_.run_state = state;
  return {};
}

Expected<void> VirtualMachine::start() {
  if (Expected<void> ours = life_.check_ours("start"); !ours) return ours;
  if (is_live(life_.run_state)) return {};
  if (Expected<void> back = life_.participants.take_back(); !back) return back;
  if (Expected<void> runs = run(life_.was_suspended ? RunState::suspended : RunState::running); !runs) return runs;
  life_.was_suspended = false;
  return {};
}

Expected<void> VirtualMachine::pause() {
  if (Expected<void> ours = life_.check_ours("pause"); !ours) return ours;
  if (!is_live(life_.run_state)) return {};
  if (Expected<void> paused = life_.vcpus.pause(); !paused) return paused;
  life_.was_suspended = life_.run_state == RunState::suspended;
  life_.run_state = RunState::paused;
  return {};
}

Expected<void> VirtualMachine::suspend() {
  if (Expected<void> ours = life_.check_ours("suspend"); !ours) return ours;
  if (life_.run_state != RunState::running) return refuse_in(life_.run_state, "suspend");
  life_.run_state = RunState::suspended;
  return {};
}

Expected<void> VirtualMachine::wake_up() {
  if (Expected<void> ours = life_.check_ours("wake-up"); !ours) return ours;
  if (life_.run_state != RunState::suspended) return refuse_in(life_.run_state, "wake-up");
  life_.run_state = RunState::running;
  return {};
}

Expected<void> VirtualMachine::reset() {
  if (Expected<void> ours = life_.check_ours("reset"); !ours) return ours;
  Expected<void> first;
  for (const auto& device : devices_) {
    Expected<void> done = device->reset();
    if (first && !done) first = std::move(done);
  }
  return first;
}

Expected<vfio::PciDevice*> VirtualMachine::plug(const PciConfig& config) {
  if (Expected<void> ours = life_.check_ours("hot plug"); !ours) return std::unexpected(std::move(ours.error()));
  Expected<vfio::PciDevice*> added = add_device(config);
  if (added) config_.devices.push_back(config);
  return added;
}

Expected<void> VirtualMachine::unplug(std::string_view device) {
  if (Expected<void> ours = life_.check_ours("unplug"); !ours) return ours;
  auto found = std::ranges::find_if(devices_, [device](const auto& each) { return each->name() == device; });
  if (found == devices_.end()) return refuse(ErrorCode::missing_key, {"no device ", quoted(device)});
  std::erase_if(config_.devices, [device](const PciConfig& each) { return each.device.name == device; });
  devices_.erase(found);
  return {};
}

Expected<memory::RamBlock*> VirtualMachine::plug_ram(const RamConfig& config) {
  if (Expected<void> ours = life_.check_ours("hot plug of RAM"); !ours) return std::unexpected(std::move(ours.error()));
  Expected<memory::RamBlock*> added = add_ram(config);
  if (added) config_.ram.push_back(config);
  return added;
}

Expected<void> VirtualMachine::unplug_ram(std::string_view name) {
  if (Expected<void> ours = life_.check_ours("unplug of RAM"); !ours) return ours;
  auto slot =
      std::ranges::find_if(slots_, [name](const RamSlot& each) { return each.block && each.block->name == name; });
  if (slot == slots_.end()) return refuse(ErrorCode::missing_key, {"no RAM block ", quoted(name)});
  Expected<void> first = address_map_.remove(slot->address);
  if (kvm_) {
    auto number = static_cast<std::uint32_t>(slot - slots_.begin());
    Expected<void> hidden = kvm_->set_slot(number, slot->address, 0, {});
    if (first) first = std::move(hidden);
  }
  std::erase_if(config_.ram, [name](const RamConfig& each) { return each.name == name; });
  ram_.free(*std::exchange(slot->block, nullptr));
  return first;
}

}  // namespace vcpr::vm
