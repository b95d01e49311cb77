// One VFIO device file: what it is, its regions and its interrupts, by group or by cdev.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "engine/os/abi/vfio.hpp"
#include "engine/os/fd.hpp"
#include "engine/vfio/vfio_cpr.hpp"
#include "engine/vfio/vm.hpp"

namespace vcpr::vfio {

/// How to get at a device. The embedder knows sysfs; the engine does not.
struct DeviceConfig {
  std::string name{};       ///< of the host: "0000:00:07.0"; with given_fd the id the user gave it
  std::string vf_token{};   ///< UUID; empty: none. By group only
  std::uint32_t group = 0;  ///< by group: /dev/vfio/GROUP
  std::string iommufd{};    ///< by cdev: id of the iommufd object; empty: by group
  std::string cdev{};       ///< by cdev: "/dev/vfio/devices/vfio0"; empty with given_fd
  int given_fd = -1;        ///< the user's descriptor of the cdev, taken over in any case; incoming: not looked at
  bool mediated = false;    ///< emulated: its pages are pinned by the kernel driver, not by the IOMMU
};

/// An interrupt kind of VFIO PCI (VFIO_PCI_*_IRQ_INDEX).
enum class IrqIndex : std::uint8_t { intx, msi, msix, err, req };
inline constexpr std::size_t kIrqIndices = 5;
/// Regions of a PCI device that the engine knows: BARs 0 to 5, ROM, config.
inline constexpr std::size_t kRegions = 8;

struct Region {
  std::uint64_t size = 0;    ///< 0: absent
  std::uint64_t offset = 0;  ///< in the device file
  std::uint32_t flags = 0;   ///< VFIO_REGION_INFO_FLAG_*
};

class Device {
 public:
  /// Opens it, or finds it in what an old process left; then asks for its regions and interrupts. On error everything
  /// that was made for it is gone again. missing_key, wrong_kind, bad_value, key_in_use, os_error, and blockers that
  /// cannot be added.
  static Expected<std::unique_ptr<Device>> attach(Vm& vm, const DeviceConfig& config);
  ~Device() { (void)detach(); }
  /// Lets it go, and with the last device of each what was shared: exactly backwards, all of it although a part fails;
  /// the first error. Idempotent. What another process has is only closed.
  Expected<void> detach();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const std::string& name() const { return config_.name; }
  const DeviceConfig& config() const { return config_; }
  Vm& vm() const { return vm_; }
  /// Borrowed from the table.
  int fd() const { return fd_; }
  bool can_reset() const { return (flags_ & os::abi::vfio_device_flags_reset) != 0; }
  const Region& region(std::uint32_t index) const { return regions_[index]; }
  const os::abi::vfio_irq_info& irq(IrqIndex index) const { return irqs_[static_cast<std::size_t>(index)]; }

  Expected<void> read(std::uint32_t region, std::uint64_t offset, std::span<std::byte> bytes);
  Expected<void> write(std::uint32_t region, std::uint64_t offset, std::span<const std::byte> bytes);

  // VFIO_DEVICE_SET_IRQS. A positive result of the kernel (fewer vectors to be had) is os_error ENOSPC with its number.
  Expected<void> set_triggers(IrqIndex index, std::uint32_t start, std::span<const std::int32_t> eventfds);
  /// Takes every vector of the kind away.
  Expected<void> disable_irqs(IrqIndex index);
  Expected<void> mask(IrqIndex index, std::uint32_t vector);
  Expected<void> unmask(IrqIndex index, std::uint32_t vector);
  Expected<void> set_unmask_eventfd(IrqIndex index, std::uint32_t vector, std::int32_t eventfd);
  /// VFIO_DEVICE_RESET. Refused while the VM is not ours (Life::check_ours).
  Expected<void> reset();

  VFIODeviceCPR cpr;
  std::int32_t devid = 0;  ///< in its iommufd; by cdev only

 private:
  friend Expected<void> vfio_cpr_load_device(Vm& vm, Device& device);
  Device(Vm& vm, DeviceConfig config);
  Expected<void> check_config() const;
  Expected<void> add_blocker();
  bool is_by_cdev() const { return !config_.iommufd.empty(); }
  /// In the table: by group the name with the token.
  std::string key_name() const;

  Expected<void> open_by_group();
  Expected<void> open_by_cdev();
  Expected<void> find_cdev();
  Expected<void> bind();
  Expected<void> check_kind();
  Expected<void> close_by_group();
  Expected<void> close_by_cdev();

  Expected<void> ask();
  Expected<void> ask_region(std::uint32_t index);
  Expected<void> ask_irq(std::uint32_t index);
  Expected<void> check_access(std::uint32_t region, std::uint64_t offset, std::uint64_t bytes) const;
  Expected<void> set_irqs(IrqIndex index, std::uint32_t flags, std::uint32_t start, std::uint32_t count,
                          std::span<const std::int32_t> eventfds, std::string_view what);

  Vm& vm_;
  DeviceConfig config_;
  os::Fd given_;  ///< the user's, until it is in the table
  int fd_ = -1;
  std::uint32_t flags_ = 0;
  std::array<Region, kRegions> regions_{};
  std::array<os::abi::vfio_irq_info, kIrqIndices> irqs_{};
  Group* group_ = nullptr;                 ///< by group
  Iommufd* iommufd_ = nullptr;             ///< by cdev
  IommufdContainer* container_ = nullptr;  ///< by cdev
  bool kvm_knows_ = false;                 ///< by cdev: its file; by group it is the group's
};

}  // namespace vcpr::vfio
