// One KVM VM: slots, interrupt routes, irqfds, the VFIO pseudo device. KVM answers only to the process image that made
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/kvm/interrupt_sink.hpp"
#include "engine/kvm/routes.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/user_addr.hpp"

namespace vcpr::kvm {

inline constexpr std::uint32_t kMaxVcpus = 4096;

class Vm final : public InterruptSink {
 public:
  /// Opens /dev/kvm, checks version and capabilities, creates the VM, its irqchips and `vcpus` vCPUs, and commits the
  /// default pin routes. bad_version, os_error; nothing stays open on error. All descriptors are close-on-exec.
  static Expected<Vm> create(os::Kernel& kernel, std::uint32_t vcpus);
  Vm(Vm&&) noexcept;
  Vm& operator=(Vm&&) = delete;
  ~Vm() override { close(); }

  // Guest memory (kvm_vm_ioctl_set_memory_region)
  Expected<void> set_slot(std::uint32_t slot, std::uint64_t address, std::uint64_t size, os::UserAddr host,
                          bool read_only = false);

  // Interrupts delivered by hand
  Expected<void> send_message(const MsiMessage& message) override;
  Expected<void> set_line(std::uint32_t gsi, bool up) override;

  // Routes: changes are gathered and reach the kernel as one table by commit_routes().
  /// The lowest GSI that is free above the pins; too_long when all are taken (kMaxRoutes).
  Expected<std::uint32_t> add_message_route(const MsiMessage& message);
  void change_message_route(std::uint32_t gsi, const MsiMessage& message);
  void remove_route(std::uint32_t gsi);
  /// One KVM_SET_GSI_ROUTING if anything changed; on error the kernel's table is the one before, and the change is
  /// still to be committed.
  Expected<void> commit_routes();

  // irqfds (kvm_irqfd_assign): os_error EBUSY while another holds the eventfd.
  /// `resample`: eventfd that an EOI of the GSI signals, for a level; -1: an edge.
  Expected<void> assign_irqfd(int eventfd, std::uint32_t gsi, int resample = -1);
  /// What was signalled before is injected, what comes after stays in the counter. Not assigned: success.
  Expected<void> deassign_irqfd(int eventfd, std::uint32_t gsi);

  // The KVM-VFIO device, made at the first addition (kvm_vfio_file_add): group or device files.
  Expected<void> add_vfio_file(int fd);
  Expected<void> remove_vfio_file(int fd);

  int vm_fd() const { return vm_.number(); }
  /// For the embedder's vCPU threads and the controllers' state.
  int vcpu_fd(std::uint32_t vcpu) const { return vcpus_[vcpu].number(); }
  std::uint32_t vcpu_count() const { return static_cast<std::uint32_t>(vcpus_.size()); }
  os::Kernel& kernel() { return *kernel_; }
  /// vCPUs, VM, /dev/kvm, then the VFIO device (QEMU's order at DONE). Idempotent; every later call is refused:
  /// bad_state.
  void close();
  bool is_open() const { return vm_.is_open(); }

 private:
  explicit Vm(os::Kernel& kernel) : kernel_(&kernel) {}
  Expected<int> request(const os::Fd& fd, std::uint64_t request, void* argument, std::string_view what);

  os::Kernel* kernel_;
  os::Fd system_;
  os::Fd vm_;
  std::vector<os::Fd> vcpus_;
  os::Fd vfio_;
  Routes routes_;
};

}  // namespace vcpr::kvm
