// What a VM is made of: composition only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/kvm/interrupt_state.hpp"
#include "engine/vfio/pci_device.hpp"
#include "engine/vm/ram_contents.hpp"
#include "engine/vm/ram_list.hpp"
#include "engine/vmstate/sections/configuration.hpp"
#include "engine/vmstate/sections/global_state.hpp"

namespace vcpr::vm {

struct RamConfig {
  std::string name;
  std::uint64_t size = 0;
  std::uint64_t address = 0;  ///< guest physical
  memory::Backing backing = memory::Backing::memfd;
  bool operator==(const RamConfig&) const = default;
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

  // Management. Each is bad_state once the VM was given away, while it is stopped for a handover, and before it has
  // arrived (windows W3, W9, W19; invariant I46).
  /// prelaunch or paused -> running, or asleep again if it was; a live one stays. What a failed handover could not take
  /// back is tried again first.
  Expected<void> start();
  Expected<void> pause();    ///< running or suspended -> paused
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

  /// What both sides of a main stream must agree on before the first section.
  vmstate::Configuration configuration() const;

  /// What a main stream in this mode is made of: the sections registered; for a reboot without those that describe
  /// what only descriptors bring, and with the memory's pages in "ram". bad_state: memory whose pages cannot be had.
  Expected<vmstate::SectionTable*> sections(lifecycle::Mode mode);

  // Steps of a handover, for engine/handover

  /// Old side: writes down the run state for globalstate, then no vCPU runs any more: finish_migrate. Idempotent; after
  /// an error resume_here() is called.
  Expected<void> stop();
  bool is_stopped() const { return before_stop_.has_value(); }
  /// The undo of stop(): the run state is the one before. Idempotent; fails without effect.
  Expected<void> resume_here();
  /// Instead, when not everything could be taken back: paused, and start() tries again.
  void stay_paused();
  /// Another process has it: postmigrate; KVM closes.
  void give_away();
  /// New side: whether the run state that came is one that a VM can take up. bad_value.
  Expected<void> check_arrived() const;
  /// New side: everything is taken over; this is an ordinary VM before its first vCPU runs (window W9), and runs if the
  /// old one did. An error of the vCPUs: it is paused.
  Expected<void> arrive();

 private:
  /// A block of RAM and the KVM slot that shows it; the slot is its place in the list.
  struct RamSlot {
    memory::RamBlock* block = nullptr;  ///< null: the slot is free
    std::uint64_t address = 0;
  };

  VirtualMachine(os::Kernel& kernel, const Embedder& embedder, Config config, std::optional<Arrival> arrival);
  Expected<void> build();
  Expected<void> build_kvm();
  Expected<memory::RamBlock*> add_ram(const RamConfig& config);
  Expected<void> show_ram(memory::RamBlock& block, std::uint64_t address);
  Expected<vfio::PciDevice*> add_device(const PciConfig& config);
  Expected<void> run(lifecycle::RunState state);

  Embedder embedder_;
  Config config_;
  lifecycle::Life life_;
  memory::RamBlocks ram_;
  memory::AddressMap address_map_;
  RamList ram_list_;
  RamContents ram_contents_;
  vmstate::SectionTable reboot_sections_;
  std::vector<RamSlot> slots_;
  std::optional<kvm::Vm> kvm_;
  std::unique_ptr<kvm::InterruptState> interrupt_state_;
  std::optional<vfio::Vm> vfio_;
  std::vector<std::unique_ptr<vfio::PciDevice>> devices_;
  vmstate::GlobalState global_state_;
  std::optional<lifecycle::RunState> before_stop_;
};

}  // namespace vcpr::vm
