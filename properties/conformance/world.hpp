// A side on which cases run: the simulated machine, or the Linux that runs the test.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/os/kernel.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::conformance {

class Report;
struct Case;

/// What an older or differently built kernel may lack.
enum class Feature : std::uint8_t {
  none,
  exact_eventfd_write,    ///< a write of more than 8 bytes is refused (Linux 6.10)
  mfd_exec_flags,         ///< MFD_EXEC and MFD_NOEXEC_SEAL (Linux 6.3)
  default_socket_buffer,  ///< net.core.wmem_default is 212992
  large_memfd_writes,     ///< a memfd's writes meet its seals in pieces of 2 MiB (Linux 7.2 with huge pages)
  vfio_devices,           ///< two edu and an igb in groups of their own, bound to vfio-pci
  iommufd,                ///< /dev/iommu, and the devices as cdevs
  kvm                     ///< /dev/kvm
};
std::string_view name(Feature feature);

/// A device of the host that cases may open.
struct HostDevice {
  std::string address;  ///< as VFIO_GROUP_GET_DEVICE_FD takes it
  std::string group;    ///< path of its group
  std::string cdev;     ///< path of its own node
};

/// One process on one side. What a case leaves open or mapped goes with the world.
class World {
 public:
  virtual ~World() = default;
  virtual os::Kernel& kernel() = 0;
  virtual bool has(Feature feature) = 0;
  /// A load or store of the CPU; false where it would fault. At most one page.
  virtual bool load(os::UserAddr address, std::span<std::byte> bytes) = 0;
  virtual bool store(os::UserAddr address, std::span<const std::byte> bytes) = 0;
  /// RLIMIT_NOFILE.
  virtual void set_descriptor_limit(std::uint32_t limit) = 0;
  /// Without CAP_SYS_RESOURCE and CAP_SYS_ADMIN from here on.
  virtual void drop_privileges() = 0;
  /// RLIMIT_MEMLOCK in bytes, and whether CAP_IPC_LOCK makes it void, from here on.
  virtual void set_memlock(std::uint64_t limit, bool ipc_lock) = 0;
  /// VmLck and VmPin of this process, KiB.
  virtual std::uint64_t locked_kib() = 0;
  virtual std::uint64_t pinned_kib() = 0;
  /// dma_entry_limit of type1 for containers set up from here on.
  virtual void set_dma_entry_limit(std::uint32_t limit) = 0;
  /// The device of this model, counted from 0; the side has Feature::vfio_devices.
  virtual HostDevice device(machine::DeviceModel model, unsigned index = 0) = 0;
  /// A path for a socket, nothing there yet; the same for the same leaf.
  virtual std::string path(std::string_view leaf) = 0;
  /// Runs in a forked child, which then ends; its failures go into the report.
  virtual void in_child(const std::function<void(World&, Report&)>& body, Report& report) = 0;
  /// Runs the case in a forked child, which then execs and runs the second half.
  virtual void run_with_exec(const Case& each, Report& report) = 0;
  /// Opens every free number below `first`, so that the next descriptor gets `first` on every side.
  virtual void fill_numbers_below(int first) = 0;
};

/// The simulated side: as root or not, with or without Feature::large_memfd_writes.
std::unique_ptr<World> simulated_world(bool privileged = false, bool large_memfd_writes = true);

}  // namespace vcpr::conformance
