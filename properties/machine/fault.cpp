#include "properties/machine/fault.hpp"

#include <array>

namespace vcpr::machine {

namespace {

using os::Errno;
using enum FaultPoint;

constexpr std::string_view kNothing = "nothing happened";

constexpr std::array kRules = {
    FaultRule{open_emfile, Call::open, Errno::emfile, "open_emfile", kNothing},
    FaultRule{open_enfile, Call::open, Errno::enfile, "open_enfile", kNothing},
    FaultRule{open_eacces, Call::open, Errno::eacces, "open_eacces", kNothing},
    FaultRule{fcntl_emfile, Call::fcntl, Errno::emfile, "fcntl_emfile", "no duplicate was made"},
    FaultRule{fcntl_add_seals_ebusy, Call::fcntl, Errno::ebusy, "fcntl_add_seals_ebusy",
              "a pinned page or a writable mapping kept F_SEAL_WRITE away; no seal was added"},
    FaultRule{read_eio, Call::read, Errno::eio, "read_eio", "a page of a memfd could not be read; the offset stays"},
    FaultRule{write_enospc, Call::write, Errno::enospc, "write_enospc", "no page for the first byte; nothing written"},
    FaultRule{write_short, Call::write, Errno::none, "write_short", "the first half is written, at least one byte"},
    FaultRule{pread_eio, Call::pread, Errno::eio, "pread_eio", "a page of a memfd could not be read"},
    FaultRule{pwrite_enospc, Call::pwrite, Errno::enospc, "pwrite_enospc",
              "no page for the first byte; nothing written"},
    FaultRule{pwrite_short, Call::pwrite, Errno::none, "pwrite_short", "the first half is written, at least one byte"},
    FaultRule{ftruncate_enomem, Call::ftruncate, Errno::enomem, "ftruncate_enomem", "size and contents stay"},
    FaultRule{eventfd_emfile, Call::eventfd, Errno::emfile, "eventfd_emfile", kNothing},
    FaultRule{eventfd_enfile, Call::eventfd, Errno::enfile, "eventfd_enfile", kNothing},
    FaultRule{eventfd_enomem, Call::eventfd, Errno::enomem, "eventfd_enomem", kNothing},
    FaultRule{memfd_create_emfile, Call::memfd_create, Errno::emfile, "memfd_create_emfile", kNothing},
    FaultRule{memfd_create_enfile, Call::memfd_create, Errno::enfile, "memfd_create_enfile", kNothing},
    FaultRule{memfd_create_enomem, Call::memfd_create, Errno::enomem, "memfd_create_enomem", kNothing},
    FaultRule{mmap_enomem, Call::mmap, Errno::enomem, "mmap_enomem", "nothing mapped, what was there stays"},
    FaultRule{munmap_enomem, Call::munmap, Errno::enomem, "munmap_enomem",
              "a mapping could not be split; everything stays mapped"},
    FaultRule{mprotect_enomem, Call::mprotect, Errno::enomem, "mprotect_enomem",
              "mappings before the last of the range have the new protection, the last one the old"},
    FaultRule{socket_emfile, Call::socket, Errno::emfile, "socket_emfile", kNothing},
    FaultRule{socket_enfile, Call::socket, Errno::enfile, "socket_enfile", kNothing},
    FaultRule{socket_enobufs, Call::socket, Errno::enobufs, "socket_enobufs", kNothing},
    FaultRule{socketpair_emfile, Call::socketpair, Errno::emfile, "socketpair_emfile", "not even one end is open"},
    FaultRule{bind_enospc, Call::bind, Errno::enospc, "bind_enospc", "no path was made, the socket stays unbound"},
    FaultRule{accept4_emfile, Call::accept4, Errno::emfile, "accept4_emfile", "the connection stays in the backlog"},
    FaultRule{accept4_enfile, Call::accept4, Errno::enfile, "accept4_enfile", "the connection stays in the backlog"},
    FaultRule{connect_econnrefused, Call::connect, Errno::econnrefused, "connect_econnrefused",
              "nobody listens; the socket can try again"},
    FaultRule{connect_eagain, Call::connect, Errno::eagain, "connect_eagain",
              "the backlog is full; the socket can try again"},
    FaultRule{connect_enomem, Call::connect, Errno::enomem, "connect_enomem", "the socket can try again"},
    FaultRule{sendmsg_enobufs, Call::sendmsg, Errno::enobufs, "sendmsg_enobufs", "nothing was queued"},
    FaultRule{sendmsg_etoomanyrefs, Call::sendmsg, Errno::etoomanyrefs, "sendmsg_etoomanyrefs",
              "too many descriptors in flight; nothing was queued"},
    FaultRule{sendmsg_short, Call::sendmsg, Errno::none, "sendmsg_short",
              "the first half is queued, at least one byte, with all descriptors"},
    FaultRule{sendmsg_eagain, Call::sendmsg, Errno::eagain, "sendmsg_eagain", "the buffer is full; nothing was queued"},
    FaultRule{recvmsg_emfile_truncates, Call::recvmsg, Errno::none, "recvmsg_emfile_truncates",
              "the first half of the descriptors is installed, MSG_CTRUNC, the rest released"},
    FaultRule{recvmsg_short, Call::recvmsg, Errno::none, "recvmsg_short",
              "one byte is taken, with the descriptors of its buffer"},
    FaultRule{recvmsg_eagain, Call::recvmsg, Errno::eagain, "recvmsg_eagain", "what is queued stays queued"},
    FaultRule{poll_eintr, Call::poll, Errno::eintr, "poll_eintr", "a signal came before any event; no revents"},
    FaultRule{poll_enomem, Call::poll, Errno::enomem, "poll_enomem", "no revents"},
    FaultRule{setenv_enomem, Call::setenv, Errno::enomem, "setenv_enomem", "the variable is as it was"},
    FaultRule{execve_enoent, Call::execve, Errno::enoent, "execve_enoent", "the old image goes on, nothing closed"},
    FaultRule{execve_eacces, Call::execve, Errno::eacces, "execve_eacces", "the old image goes on, nothing closed"},
    FaultRule{execve_enomem, Call::execve, Errno::enomem, "execve_enomem", "the old image goes on, nothing closed"},
    FaultRule{ioctl_map_dma_enomem, Call::ioctl, Errno::enomem, "ioctl_map_dma_enomem",
              "MAP_DMA of type1: nothing is mapped, pinned or charged"},
    FaultRule{ioctl_update_vaddr_enomem, Call::ioctl, Errno::enomem, "ioctl_update_vaddr_enomem",
              "MAP_DMA with VADDR by another process: the vaddr stays invalid, the charge with the old owner"},
    FaultRule{ioctl_update_vaddr_eintr, Call::ioctl, Errno::eintr, "ioctl_update_vaddr_eintr",
              "MAP_DMA with VADDR by another process: the vaddr stays invalid, the charge with the old owner"},
    FaultRule{ioctl_dirty_start_enomem, Call::ioctl, Errno::enomem, "ioctl_dirty_start_enomem",
              "DIRTY_PAGES with START: no mapping is tracked"},
    FaultRule{ioctl_ioas_alloc_enomem, Call::ioctl, Errno::enomem, "ioctl_ioas_alloc_enomem", "no id was taken"},
    FaultRule{ioctl_ioas_map_enomem, Call::ioctl, Errno::enomem, "ioctl_ioas_map_enomem",
              "nothing is mapped, pinned or charged; the range stays free"},
    FaultRule{ioctl_change_process_enomem, Call::ioctl, Errno::enomem, "ioctl_change_process_enomem",
              "every mapping still belongs to its old owner"},
    FaultRule{ioctl_set_irqs_ebusy, Call::ioctl, Errno::ebusy, "ioctl_set_irqs_ebusy",
              "the line has an exclusive handler already; INTx stays off"},
    FaultRule{ioctl_set_irqs_enomem, Call::ioctl, Errno::enomem, "ioctl_set_irqs_enomem",
              "the triggers of the block are gone, up to the vector it failed at; a mode just enabled is off again"},
    FaultRule{ioctl_set_irqs_short, Call::ioctl, Errno::none, "ioctl_set_irqs_short",
              "one vector fewer was left than asked for: that number is the result, the mode stays off"},
    FaultRule{ioctl_reset_eagain, Call::ioctl, Errno::eagain, "ioctl_reset_eagain",
              "the device was busy; it is not reset"},
    FaultRule{ioctl_get_device_fd_emfile, Call::ioctl, Errno::emfile, "ioctl_get_device_fd_emfile",
              "GET_DEVICE_FD: the device was opened, and closed again; it has been reset if nobody had it open"},
    FaultRule{ioctl_create_vm_emfile, Call::ioctl, Errno::emfile, "ioctl_create_vm_emfile", "no VM"},
    FaultRule{ioctl_create_vm_enomem, Call::ioctl, Errno::enomem, "ioctl_create_vm_enomem", "no VM"},
    FaultRule{ioctl_create_vcpu_emfile, Call::ioctl, Errno::emfile, "ioctl_create_vcpu_emfile", "no vCPU, the id free"},
    FaultRule{ioctl_create_vcpu_enomem, Call::ioctl, Errno::enomem, "ioctl_create_vcpu_enomem", "no vCPU, the id free"},
    FaultRule{ioctl_create_device_emfile, Call::ioctl, Errno::emfile, "ioctl_create_device_emfile", "no KVM device"},
    FaultRule{ioctl_irqfd_enomem, Call::ioctl, Errno::enomem, "ioctl_irqfd_enomem", "not assigned"},
    FaultRule{ioctl_set_gsi_routing_enomem, Call::ioctl, Errno::enomem, "ioctl_set_gsi_routing_enomem",
              "the old routes stay"},
    FaultRule{ioctl_attach_pt_enomem, Call::ioctl, Errno::enomem, "ioctl_attach_pt_enomem",
              "the device is attached to what it was attached to, or to nothing"},
    FaultRule{ioctl_fault_queue_emfile, Call::ioctl, Errno::emfile, "ioctl_fault_queue_emfile", "no id was taken"},
    FaultRule{ioctl_type1_info_enomem, Call::ioctl, Errno::enomem, "ioctl_type1_info_enomem",
              "VFIO_IOMMU_GET_INFO of type1: no room for its capabilities; nothing is written"},
    FaultRule{ioctl_kvm_file_add_enomem, Call::ioctl, Errno::enomem, "ioctl_kvm_file_add_enomem",
              "KVM_DEV_VFIO_FILE_ADD: the file is not linked to the VM"},
    FaultRule{ioctl_get_lapic_enomem, Call::ioctl, Errno::enomem, "ioctl_get_lapic_enomem", "nothing is written"},
    FaultRule{ioctl_set_lapic_enomem, Call::ioctl, Errno::enomem, "ioctl_set_lapic_enomem", "the registers stay"},
    FaultRule{ioctl_get_irqchip_enomem, Call::ioctl, Errno::enomem, "ioctl_get_irqchip_enomem", "nothing is written"},
    FaultRule{ioctl_set_irqchip_enomem, Call::ioctl, Errno::enomem, "ioctl_set_irqchip_enomem", "the chip stays"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRules.size(); ++i)
    if (static_cast<std::size_t>(kRules[i].point) != i + 1) return false;
  return true;
}
static_assert(in_order(), "fault_table() is indexed by the enumeration");
static_assert(kFaultPoints == kRules.size() + 1, "every fault point has its rule");

constexpr std::array<std::string_view, kCallCount> kCallNames = {
    "open",       "close",    "fcntl",  "read",     "write",        "pread",    "pwrite", "lseek",    "ftruncate",
    "fstat",      "readlink", "ioctl",  "eventfd",  "memfd_create", "mmap",     "munmap", "mprotect", "socket",
    "socketpair", "bind",     "listen", "accept4",  "connect",      "shutdown", "unlink", "sendmsg",  "recvmsg",
    "poll",       "getenv",   "setenv", "unsetenv", "execve",       "now"};

}  // namespace

std::string_view name(Call call) {
  return kCallNames[static_cast<std::size_t>(call)];
}

std::span<const FaultRule> fault_table() {
  return kRules;
}

std::string_view name(FaultPoint point) {
  return point == none ? "none" : kRules[static_cast<std::size_t>(point) - 1].name;
}

}  // namespace vcpr::machine
