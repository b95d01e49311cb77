// Where a handler of the machine can fail as the real one can, and what that leaves behind.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/os/errno.hpp"

namespace vcpr::machine {

/// The syscalls of os::Kernel, for traces, schedules and the fault table.
enum class Call : std::uint8_t {
  open,
  close,
  fcntl,
  read,
  write,
  pread,
  pwrite,
  lseek,
  ftruncate,
  fstat,
  readlink,
  ioctl,
  eventfd,
  memfd_create,
  mmap,
  munmap,
  mprotect,
  socket,
  socketpair,
  bind,
  listen,
  accept4,
  connect,
  shutdown,
  unlink,
  sendmsg,
  recvmsg,
  poll,
  getenv,
  setenv,
  unsetenv,
  execve,
  now,
};
inline constexpr std::size_t kCallCount = static_cast<std::size_t>(Call::now) + 1;
std::string_view name(Call call);

/// Named after call and error; `none` lets the call go its way. A point fires where the handler would meet that
/// failure, after the checks that come before it in the kernel; a call that does not get there is not touched.
enum class FaultPoint : std::uint8_t {
  none,
  open_emfile,
  open_enfile,
  open_eacces,
  fcntl_emfile,
  fcntl_add_seals_ebusy,
  read_eio,
  write_enospc,
  write_short,
  pread_eio,
  pwrite_enospc,
  pwrite_short,
  ftruncate_enomem,
  eventfd_emfile,
  eventfd_enfile,
  eventfd_enomem,
  memfd_create_emfile,
  memfd_create_enfile,
  memfd_create_enomem,
  mmap_enomem,
  munmap_enomem,
  mprotect_enomem,
  socket_emfile,
  socket_enfile,
  socket_enobufs,
  socketpair_emfile,
  bind_enospc,
  accept4_emfile,
  accept4_enfile,
  connect_econnrefused,
  connect_eagain,
  connect_enomem,
  sendmsg_enobufs,
  sendmsg_etoomanyrefs,
  sendmsg_short,
  sendmsg_eagain,
  recvmsg_emfile_truncates,
  recvmsg_short,
  recvmsg_eagain,
  poll_eintr,
  poll_enomem,
  setenv_enomem,
  execve_enoent,
  execve_eacces,
  execve_enomem,
  ioctl_map_dma_enomem,
  ioctl_update_vaddr_enomem,
  ioctl_update_vaddr_eintr,
  ioctl_dirty_start_enomem,
  ioctl_ioas_alloc_enomem,
  ioctl_ioas_map_enomem,
  ioctl_change_process_enomem,
  ioctl_set_irqs_ebusy,
  ioctl_set_irqs_enomem,
  ioctl_set_irqs_short,
  ioctl_reset_eagain,
  ioctl_get_device_fd_emfile,
  ioctl_create_vm_emfile,
  ioctl_create_vm_enomem,
  ioctl_create_vcpu_emfile,
  ioctl_create_vcpu_enomem,
  ioctl_create_device_emfile,
  ioctl_irqfd_enomem,
  ioctl_set_gsi_routing_enomem,
  ioctl_attach_pt_enomem,
  ioctl_fault_queue_emfile,
  ioctl_type1_info_enomem,
  ioctl_kvm_file_add_enomem,
  ioctl_get_lapic_enomem,
  ioctl_set_lapic_enomem,
  ioctl_get_irqchip_enomem,
  ioctl_set_irqchip_enomem,
};

inline constexpr std::size_t kFaultPoints = static_cast<std::size_t>(FaultPoint::ioctl_set_irqchip_enomem) + 1;
/// Bit n: FaultPoint n.
using FaultSet = std::bitset<kFaultPoints>;

struct FaultRule {
  FaultPoint point{};
  Call call{};
  os::Errno error = os::Errno::none;  ///< none: the call succeeds with the effect
  std::string_view name;
  std::string_view effect;  ///< what the call leaves behind, for people
};

/// Every fault point but none, in order of the enumeration.
std::span<const FaultRule> fault_table();
/// "none" for FaultPoint::none.
std::string_view name(FaultPoint point);

}  // namespace vcpr::machine
