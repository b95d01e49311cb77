// What a VM is made of: composition only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/kvm/interrupt_state.hpp"
#include "engine/vfio/pci_device.hpp"
#include "engine/vmstate/sections/configuration.hpp"
#include "engine/vmstate/sections/global_state.hpp"
#include "engine/vmstate/sections/ram.hpp"

namespace vcpr::vm {

struct RamConfig {
  std::string name;
  std::uint64_t size = 0;
  std::uint64_t address = 0;  ///< guest physical
  memory::Backing backing = memory::Backing::memfd;
};

struct PciConfig {
  vfio::DeviceConfig device;
  vfio::PciOptions options;
};

/// The shape of a VM. Both sides of a handover are given the same.
struct Config {
  std::string machine = "vcpr";  ///< machine type: both sides must agree
  bool kvm = true;
  std::uint32_t vcpus = 1;
  std::vector<RamConfig> ram;
  std::vector<PciConfig> devices;
};

/// Who embeds it; all must outlive the VM. `interrupts` is asked only without KVM.
struct Embedder {
  lifecycle::Vcpus& vcpus;
  lifecycle::EventLoop& loop;
  vfio::DeviceEvents& events;
  kvm::InterruptSink* interrupts = nullptr;
};

/// What an old process left.
struct Arrival {
  lifecycle::Incoming incoming{};
  store::CprState state;
};

class VirtualMachine {
 public:
  /// Fresh (prelaunch), or from what arrived (inmigrate): then every object claims what is its own, nothing but
  /// questions reaches the kernel's VFIO and iommufd objects, and an entry that nobody wants is `unclaimed`. On error
  /// everything made or arrived is closed.
  static Expected<std::unique_ptr<VirtualMachine>> create(os::Kernel& kernel, const Embedder& embedder,
                                                          const Config& config,
                                                          std::optional<Arrival> arrival = std::nullopt);
  /// Lets everything go, in reverse order of creation. A VM that was given away only closes.
  ~VirtualMachine();
  VirtualMachine(const VirtualMachine&) = delete;
  VirtualMachine& operator=(const VirtualMachine&) = delete;

  // Management. Each is bad_state once the VM was given away, and while it is stopped for a handover.
  Expected<void> start();    ///< prelaunch or paused -> running, suspended stays
  Expected<void> pause();    ///< running -> paused
  Expected<void> suspend();  ///< the guest went to sleep: running -> suspended
  Expected<void> wake_up();  ///< suspended -> running
  Expected<void> reset();    ///< every device
  Expected<vfio::PciDevice*> plug(const PciConfig& config);
  Expected<void> unplug(std::string_view device);
  Expected<memory::RamBlock*> plug_ram(const RamConfig& config);
  Expected<void> unplug_ram(std::string_view name);

  lifecycle::Life& life() { return life_; }
  memory::AddressMap& address_map() { return address_map_; }
  memory::RamBlocks& ram() { return ram_; }
  kvm::Vm* kvm() { return kvm_ ? &*kvm_ : nullptr; }
  vfio::PciDevice* device(std::string_view name);
  const Config& config() const { return config_; }

  /// For the main stream: the blocks as the section "ram" lists them, and what both sides must agree on.
  std::vector<vmstate::RamBlock> ram_list() const;
  vmstate::Configuration configuration() const;

 private:
  VirtualMachine(os::Kernel& kernel, const Embedder& embedder, Config config, std::optional<Arrival> arrival);
  Expected<void> build();
  Expected<void> add_ram(const RamConfig& config);
  Expected<vfio::PciDevice*> add_device(const PciConfig& config);

  Embedder embedder_;
  Config config_;
  lifecycle::Life life_;
  memory::RamBlocks ram_;
  memory::AddressMap address_map_;
  std::optional<kvm::Vm> kvm_;
  std::unique_ptr<kvm::InterruptState> interrupt_state_;
  std::optional<vfio::Vm> vfio_;
  std::vector<std::unique_ptr<vfio::PciDevice>> devices_;
  vmstate::GlobalState global_state_;
};

}  // namespace vcpr::vm
