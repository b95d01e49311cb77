// One KVM VM: slots, interrupt routes, irqfds, the VFIO pseudo device. KVM answers only to the process image that made
// it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/kvm/interrupt_sink.hpp"
#include "engine/kvm/routes.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/user_addr.hpp"

namespace vcpr::kvm {

/// Ids 0 to 254: an xAPIC has eight bits of id, and 255 means everybody.
inline constexpr std::uint32_t kMaxVcpus = 255;

/// After close() every request is bad_state. A caller of another address space is os_error EIO (KVM checks its mm).
class Vm final : public InterruptSink {
 public:
  /// Opens /dev/kvm, checks version and capabilities, creates the VM, its irqchips, which bring the pin routes, and
  /// `vcpus` vCPUs. bad_version (another API, a capability is missing), bad_value (0 or more than kMaxVcpus vCPUs),
  /// os_error; nothing stays open on error. All descriptors are close-on-exec.
  static Expected<Vm> create(os::Kernel& kernel, std::uint32_t vcpus);
  Vm(Vm&& other) noexcept;
  Vm& operator=(Vm&&) = delete;
  ~Vm() override { close(); }

  // Guest memory (kvm_vm_ioctl_set_memory_region)
  /// `size` 0 removes the slot.
  Expected<void> set_slot(std::uint32_t slot, std::uint64_t address, std::uint64_t size, os::UserAddr host,
                          bool read_only = false);

  // Interrupts delivered by hand
  /// A message that no local APIC answers to is lost, as on a bus; that is no error.
  Expected<void> send_message(const MsiMessage& message) override;
  Expected<void> set_line(std::uint32_t gsi, bool up) override;

  // Routes: changes are gathered and reach the kernel as one table by commit_routes().
  /// The lowest GSI that is free above the pins; too_long when all are taken (kMaxMessageRoutes).
  Expected<std::uint32_t> add_message_route(const MsiMessage& message);
  /// `gsi` must have come from add_message_route() and not gone since.
  void change_message_route(std::uint32_t gsi, const MsiMessage& message) { routes_.change(gsi, message); }
  /// As above. What an irqfd of the GSI receives after the commit is lost: it goes first.
  void remove_route(std::uint32_t gsi) { routes_.remove(gsi); }
  /// One KVM_SET_GSI_ROUTING if anything changed; on error the kernel's table is the one before, and the change is
  /// still to be committed.
  Expected<void> commit_routes();

  // irqfds (kvm_irqfd_assign): os_error EBUSY while another holds the eventfd.
  /// `resample`: eventfd that an EOI of the GSI signals, for a level; -1: an edge. A count that the eventfd has is
  /// injected once and stays readable.
  Expected<void> assign_irqfd(int eventfd, std::uint32_t gsi, int resample = -1);
  /// What was signalled before is injected, what comes after stays in the counter. Not assigned: success.
  Expected<void> deassign_irqfd(int eventfd, std::uint32_t gsi);

  // The KVM-VFIO device, made at the first addition (kvm_vfio_file_add): group or device files.
  /// os_error EEXIST for a file that is there already, by whatever descriptor.
  Expected<void> add_vfio_file(int fd);
  /// missing_key when nothing was ever added; os_error ENOENT.
  Expected<void> remove_vfio_file(int fd);

  // The interrupt controllers as KVM holds them, for InterruptState.
  Expected<void> get_lapic(std::uint32_t vcpu, os::abi::kvm_lapic_state& page);
  Expected<void> set_lapic(std::uint32_t vcpu, os::abi::kvm_lapic_state& page);
  /// `chip.chip_id` chooses.
  Expected<void> get_irqchip(os::abi::kvm_irqchip& chip);
  Expected<void> set_irqchip(os::abi::kvm_irqchip& chip);

  int vm_fd() const { return vm_.number(); }
  /// For the embedder's vCPU threads; -1 once closed.
  int vcpu_fd(std::uint32_t vcpu) const { return vcpus_[vcpu].number(); }
  std::uint32_t vcpu_count() const { return static_cast<std::uint32_t>(vcpus_.size()); }
  os::Kernel& kernel() { return *kernel_; }
  /// vCPUs, VM, /dev/kvm, then the VFIO device (QEMU's order at DONE). Idempotent.
  void close();
  bool is_open() const { return vm_.is_open(); }

 private:
  explicit Vm(os::Kernel& kernel) : kernel_(&kernel) {}
  Expected<void> open_system();
  Expected<void> make_vm(std::uint32_t vcpus);
  Expected<void> set_irqfd(os::abi::kvm_irqfd irqfd, std::string_view what);
  Expected<void> make_vfio_device();
  Expected<void> set_vfio_file(std::uint64_t change, std::int32_t file, std::string_view what);
  Expected<int> request(const os::Fd& fd, std::uint64_t request, void* argument, std::string_view what);

  os::Kernel* kernel_;
  os::Fd system_;
  os::Fd vm_;
  std::vector<os::Fd> vcpus_;
  os::Fd vfio_;
  Routes routes_;
};

}  // namespace vcpr::kvm
