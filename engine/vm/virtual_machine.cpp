#include "engine/vm/virtual_machine.hpp"

#include <algorithm>
#include <utility>

#include "engine/vfio/container.hpp"

namespace vcpr::vm {

using lifecycle::RunState;

VirtualMachine::VirtualMachine(os::Kernel& kernel, const Embedder& embedder, Config config,
                               std::optional<Arrival> arrival)
    : embedder_(embedder),
      config_(std::move(config)),
      life_{.kernel = kernel, .vcpus = embedder.vcpus, .loop = embedder.loop},
      ram_(life_),
      ram_list_(ram_),
      ram_contents_(life_.kernel, ram_) {
  if (!arrival) return;
  life_.cpr = std::move(arrival->state);
  life_.incoming = arrival->incoming;
  life_.run_state = RunState::inmigrate;
}

Expected<std::unique_ptr<VirtualMachine>> VirtualMachine::create(os::Kernel& kernel, const Embedder& embedder,
                                                                 const Config& config, std::optional<Arrival> arrival) {
  std::unique_ptr<VirtualMachine> vm(new VirtualMachine(kernel, embedder, config, std::move(arrival)));
  if (Expected<void> built = vm->build(); !built) return std::unexpected(std::move(built.error()));
  return vm;
}

VirtualMachine::~VirtualMachine() {
  while (!devices_.empty()) devices_.pop_back();
}

Expected<void> VirtualMachine::build() {
  if (Expected<void> added = life_.sections.add_iterable("ram", 0, vmstate::kRamVersion, ram_list_); !added) {
    return added;
  }
  if (Expected<void> built = build_kvm(); !built) return built;
  for (const RamConfig& each : config_.ram) {
    if (auto added = add_ram(each); !added) return std::unexpected(std::move(added.error()));
  }
  for (const PciConfig& each : config_.devices) {
    if (auto added = add_device(each); !added) return std::unexpected(std::move(added.error()));
  }
  if (Expected<void> added = life_.sections.add("globalstate", 0, vmstate::kGlobalState, global_state_); !added) {
    return added;
  }
  if (!life_.is_incoming()) return {};
  Expected<void> all_taken = life_.cpr.descriptors.check_all_claimed();
  return all_taken ? vfio_->check_records() : all_taken;
}

Expected<void> VirtualMachine::build_kvm() {
  if (config_.kvm) {
    Expected<kvm::Vm> made = kvm::Vm::create(life_.kernel, config_.vcpus);
    if (!made) return std::unexpected(std::move(made.error()));
    kvm_.emplace(std::move(*made));
    auto state = kvm::InterruptState::attach(life_, *kvm_);
    if (!state) return std::unexpected(std::move(state.error()));
    interrupt_state_ = std::move(*state);
  } else if (embedder_.interrupts == nullptr) {
    return refuse(ErrorCode::bad_value, {"a VM without KVM needs an interrupt sink"});
  }
  kvm::InterruptSink& sink = kvm_ ? *kvm_ : *embedder_.interrupts;
  vfio_.emplace(life_, address_map_, kvm(), sink);
  return {};
}

Expected<memory::RamBlock*> VirtualMachine::add_ram(const RamConfig& config) {
  Expected<memory::RamBlock*> block = ram_.allocate(config.name, config.size, config.backing);
  if (!block) return block;
  if (Expected<void> shown = show_ram(**block, config.address); !shown) {
    ram_.free(**block);
    return std::unexpected(std::move(shown.error()));
  }
  return block;
}

/// To the guest by a slot of KVM, to devices by the address map.
Expected<void> VirtualMachine::show_ram(memory::RamBlock& block, std::uint64_t address) {
  // Each other block has a slot: when there are no more slots than that, none is free.
  const bool any_free = slots_.size() >= ram_.all().size();
  auto free = any_free ? std::ranges::find(slots_, nullptr, &RamSlot::block) : slots_.end();
  auto slot = static_cast<std::uint32_t>(free - slots_.begin());
  if (kvm_) {
    if (Expected<void> set = kvm_->set_slot(slot, address, block.size, block.host); !set) return set;
  }
  Expected<void> added = address_map_.add({.address = address, .size = block.size, .block = &block, .bar = {}});
  if (!added) {
    if (kvm_) (void)kvm_->set_slot(slot, address, 0, {});
    return added;
  }
  if (free == slots_.end()) free = slots_.emplace(free);
  *free = {.block = &block, .address = address};
  return {};
}

Expected<vfio::PciDevice*> VirtualMachine::add_device(const PciConfig& config) {
  Expected<std::unique_ptr<vfio::Device>> attached = vfio::Device::attach(*vfio_, config.device);
  if (!attached) return std::unexpected(std::move(attached.error()));
  auto realized = vfio::PciDevice::realize(*vfio_, std::move(*attached), config.options, embedder_.events);
  if (!realized) return std::unexpected(std::move(realized.error()));
  return devices_.emplace_back(std::move(*realized)).get();
}

vfio::PciDevice* VirtualMachine::device(std::string_view name) {
  auto found = std::ranges::find_if(devices_, [name](const auto& each) { return each->name() == name; });
  return found != devices_.end() ? found->get() : nullptr;
}

}  // namespace vcpr::vm
