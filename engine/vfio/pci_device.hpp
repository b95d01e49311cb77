// A PCI device passed through: its configuration space as the guest sees it, its BARs, its interrupts.
//
// The guest's accesses come in through read_config, write_config, read_bar and write_bar; the embedder routes them
// here.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/vfio/device.hpp"

namespace vcpr::vfio {

class Bars;
class ConfigSpace;
class Interrupts;

struct PciOptions {
  std::string path;      ///< of the guest: "0000:00:05.0"; names its section
  bool kvm_intx = true;  ///< irqfds for a pin; else user space delivers (QEMU x-no-kvm-intx)
  bool kvm_msi = true;   ///< x-no-kvm-msi
  bool kvm_msix = true;  ///< x-no-kvm-msix
  bool request_notifier = true;
};

/// Where the chipset leads the device's pin.
struct IntxRoute {
  bool enabled = false;
  std::uint32_t gsi = 0;
  bool operator==(const IntxRoute&) const = default;
};

/// What the embedder hears of a device.
class DeviceEvents {
 public:
  virtual ~DeviceEvents() = default;
  /// ERR: the device reported an error it cannot correct; QEMU stops the VM.
  virtual void device_error(const std::string& device) = 0;
  /// REQ: the host wants the device back.
  virtual void unplug_requested(const std::string& device) = 0;
};

class PciDevice {
 public:
  /// Reads the configuration space, sizes nothing, writes nothing; arms ERR and REQ; registers the section and the
  /// steps of a handover. Incoming: adopts the eventfds that came; arms and resets nothing. duplicate_key (the path),
  /// os_error, missing_key.
  static Expected<std::unique_ptr<PciDevice>> realize(Vm& vm, std::unique_ptr<Device> device, const PciOptions& options,
                                                      DeviceEvents& events);
  ~PciDevice();
  PciDevice(const PciDevice&) = delete;
  PciDevice& operator=(const PciDevice&) = delete;

  // The guest
  std::uint32_t read_config(std::uint32_t offset, std::uint32_t bytes) const;
  /// What the guest's write brings about: BARs that come and go, interrupts enabled and disabled. An error leaves the
  /// register as written and names what could not be done.
  Expected<void> write_config(std::uint32_t offset, std::uint32_t value, std::uint32_t bytes);
  /// A trapped access to a BAR: the MSI-X table and its pending bits are ours, the rest is the device's; in user-space
  /// INTx any access ends the pending interrupt (the guest has looked at the device).
  Expected<void> read_bar(std::uint32_t bar, std::uint64_t offset, std::span<std::byte> bytes);
  Expected<void> write_bar(std::uint32_t bar, std::uint64_t offset, std::span<const std::byte> bytes);
  /// The chipset re-routed the pin.
  Expected<void> set_intx_route(const IntxRoute& route);
  /// Function reset, as the guest or its machine asks; refused while the VM is not ours. A device without a reset
  /// method keeps its state: nothing is written to it instead.
  Expected<void> reset();

  const std::string& name() const;
  const PciOptions& options() const { return options_; }
  Device& device() { return *device_; }
  Vm& vm() const { return vm_; }
  DeviceEvents& events() const { return events_; }
  ConfigSpace& config() { return *config_; }
  const ConfigSpace& config() const { return *config_; }
  Bars& bars() { return *bars_; }
  Interrupts& interrupts() { return *interrupts_; }
  /// "0000:00:05.0/vfio-cpr-pci"
  std::string section_name() const;
  void fill_section();
  /// What the section carries: filled when the device lets go, and by a load.
  vmstate::VfioCprPci section;
  VFIOPCICPR cpr;

 private:
  /// Who answers a trapped access to a BAR.
  enum class Trapped : std::uint8_t { device, table, pending };

  PciDevice(Vm& vm, std::unique_ptr<Device> device, PciOptions options, DeviceEvents& events);

  Expected<void> build();
  Expected<void> check_ours(std::string_view what) const;
  Trapped trapped(std::uint32_t bar, std::uint64_t offset, std::uint64_t bytes) const;

  Vm& vm_;
  std::unique_ptr<Device> device_;
  PciOptions options_;
  DeviceEvents& events_;
  std::unique_ptr<ConfigSpace> config_;
  std::unique_ptr<Bars> bars_;
  std::unique_ptr<Interrupts> interrupts_;
};

}  // namespace vcpr::vfio
