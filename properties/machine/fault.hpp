// Where a handler of the machine can fail as the real one can, and what that leaves behind.
#pragma once

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
std::string_view name(Call call);

/// Named after call and errno; `none` lets the call go its way. The machine's owner completes the list from
/// kernel-contract rules: each handler fails where the real one can, with the partial effects the real one has.
enum class FaultPoint : std::uint8_t {
  none,
  eventfd_emfile,
  eventfd_enomem,
  memfd_create_emfile,
  memfd_create_enomem,
  write_enospc,
  write_short,
  read_eintr,
  socket_emfile,
  accept4_emfile,
  connect_econnrefused,
  connect_eagain,
  sendmsg_enobufs,
  sendmsg_etoomanyrefs,
  sendmsg_short,
  sendmsg_eagain,
  recvmsg_emfile_truncates,
  recvmsg_short,
  recvmsg_eagain,
  fcntl_emfile,
  setenv_enomem,
  execve_enoent,
  execve_enomem,
};

struct FaultRule {
  FaultPoint point{};
  Call call{};
  os::Errno error = os::Errno::none;  ///< none: the call succeeds with the effect
  std::string_view name;
  std::string_view effect;  ///< "the first fitting descriptors are installed, MSG_CTRUNC, the rest released"
};

/// Every fault point, in order of the enumeration.
std::span<const FaultRule> fault_table();

}  // namespace vcpr::machine
