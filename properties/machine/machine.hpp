// The simulated machine: what a VMM can see of Linux, with nothing happening that the input did not ask for.
//
// A Machine is constructed per input and never reset. It owns processes, open file descriptions and time; each
// process image sees it through an os::Kernel. properties/machine/README.md is its contract, truth.hpp tells what it
// knows. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/os/kernel.hpp"
#include "properties/machine/arena.hpp"
#include "properties/machine/fault.hpp"

namespace vcpr::machine {

class Process;

/// The syscall about to be made, for the schedule and the trace.
struct CallSite {
  Process* process = nullptr;
  std::uint64_t number = 0;      ///< counts the calls of the whole machine from 0
  std::uint64_t own_number = 0;  ///< counts the calls of this process from 0
  Call call{};
};

/// The world between two calls. Asked before every syscall of every process, except those made from within it.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// May advance time, raise signals, kill processes, run another process, or return a fault for this very call.
  virtual FaultPoint before(const CallSite& site) = 0;
  /// A poll found nothing and would sleep. True: something was done, look again. False: the machine goes on to the
  /// deadline.
  virtual bool idle(const CallSite&) { return false; }
};

/// One finished call, as a listener sees it. Views die with the call.
struct CallRecord {
  CallSite site;
  std::uint32_t pid = 0;
  std::uint32_t image = 0;
  std::span<const std::uint64_t> arguments;  ///< integers, or sizes in place of buffers
  std::string_view text;                     ///< path or name, if the call has one
  std::uint64_t value = 0;                   ///< of a call that succeeded
  os::Errno error = os::Errno::none;
  FaultPoint fired = FaultPoint::none;  ///< the fault point that this call met
  FaultSet passed{};                    ///< those that it came by: what it could have met
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual void called(const CallRecord& record) = 0;
};

/// "#12 P1 sendmsg(5, 28, 24, 16384) = 28", with "{fault}" at the end when one fired. One line, no newline.
std::string format(const CallRecord& record);

/// What differs between kernels and set-ups.
struct Switches {
  std::uint32_t descriptor_limit = 1024;       ///< RLIMIT_NOFILE of a new process
  std::uint32_t socket_buffer_bytes = 212992;  ///< net.core.wmem_default: what a stream socket takes unread
  std::uint64_t memlock_limit = 8 << 20;       ///< RLIMIT_MEMLOCK of a new process, bytes
  bool ipc_lock = false;                       ///< CAP_IPC_LOCK of a new process: RLIMIT_MEMLOCK does not bind it
  bool privileged = false;                     ///< CAP_SYS_RESOURCE: descriptors in flight are not limited
  std::uint32_t dma_entry_limit = 65535;       ///< of type1: mappings a container may have
  std::uint32_t memfd_write_bytes = 2 << 20;   ///< a memfd's writes meet its seals in aligned pieces of this size
  std::uint32_t message_vectors = 200;         ///< that the host's CPUs have for MSI and MSI-X
  bool dynamic_msix = true;                    ///< vectors may be added while MSI-X is on (x86)
  std::uint8_t memfd_noexec = 0;               ///< vm.memfd_noexec: 1 adds MFD_NOEXEC_SEAL, 2 insists on it
  /// Linux 7.2: CHANGE_PROCESS from a dead owner in RLIMIT_MODE 1 answers EINVAL though it changed hands, and what it
  /// then charged is never given back.
  bool change_process_fails_after_death = true;
  /// Linux 7.2: CHANGE_PROCESS leaves VmPin of mappings made with CAP_IPC_LOCK behind, and takes it from the new owner
  /// when they go.
  bool change_process_forgets_privileged = true;
  // What an older kernel lacks, and answers as it does what it does not know
  bool update_vaddr = true;              ///< type1: CHECK_EXTENSION 0, the flags of MAP and UNMAP EINVAL
  bool unmap_all = true;                 ///< type1: the same
  bool dirty_tracking = true;            ///< type1: DIRTY_PAGES ENOTTY, the flag of UNMAP EINVAL, no capability
  bool change_process = true;            ///< iommufd: ENOTTY
  bool map_file = true;                  ///< iommufd: ENOTTY
  bool device_cdev = true;               ///< no /dev/vfio/devices (ENOENT); BIND_IOMMUFD ENOTTY
  bool irqfd_excludes_other_vms = true;  ///< one irqfd per eventfd of the host (6.17), or of each VM: the latest wins
};

/// What a descriptor refers to.
enum class FileKind : std::uint8_t { eventfd, memfd, file, character_device, socket, pipe, anonymous };
std::string_view name(FileKind kind);

/// A descriptor that is simply there, as a recorded stream describes it: of the given kind, with no peer.
struct Described {
  FileKind kind{};
  std::string_view link;             ///< of /proc/self/fd/N; empty: the kind's own
  std::uint32_t mode = 0;            ///< st_mode; 0: the kind's own
  std::uint64_t size = 0;            ///< of a memfd or file; holes only
  std::uint32_t seals = 0;           ///< of a memfd or file
  int status_flags = 2;              ///< as F_GETFL shows them; O_RDWR
  std::uint64_t offset = 0;          ///< file position
  std::uint64_t counter = 0;         ///< of an eventfd
  bool semaphore = false;            ///< of an eventfd
  std::uint64_t special_device = 0;  ///< st_rdev of a character device
  bool close_on_exec = false;
  std::optional<int> number;  ///< of the descriptor, which must be free; none: the lowest free one
};

/// Devices a machine can be given, all bound to VFIO.
enum class DeviceModel : std::uint8_t {
  edu,          ///< 1234:11e8: INTx, one MSI vector, a DMA engine; no reset
  igb,          ///< 8086:10c9: PCIe, INTx, MSI, 10 MSI-X vectors, function reset
  nic,          ///< 8086:10d3 (e1000e): PCIe, INTx, MSI, 5 MSI-X vectors, function reset
  mediated,     ///< emulated (mdev-like): its group has no IOMMU of its own
  many_vectors  ///< 1234:4d58, made up: PCIe, up to 2048 MSI-X vectors, a doorbell for each, function reset
};

struct Plugged {
  DeviceModel model{};
  std::uint32_t group = 0;       ///< of /dev/vfio/N
  std::string_view address;      ///< "0000:00:05.0", or the UUID of a mediated device
  std::uint32_t vectors = 2048;  ///< of a many_vectors: 1 to 2048
};

class Machine {
 public:
  explicit Machine(const Switches& switches = {});
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// A new process with an empty descriptor table, an empty environment and one image. Lives as long as the machine.
  Process& spawn();
  /// Adds a device to the host; returns N of its /dev/vfio/devices/vfioN. No call, leaves no trace.
  std::uint32_t plug(const Plugged& device);
  /// AER or an unplug request of device N: its ERR or REQ trigger is signalled, if set. No call.
  void report_device_error(std::uint32_t device);
  void request_device(std::uint32_t device);
  /// Module parameter dma_entry_limit of type1, for containers set up from here on.
  void set_dma_entry_limit(std::uint32_t limit);
  /// Like fork: copies descriptors (sharing descriptions), address space, environment and limits.
  Process& fork(Process& parent);

  /// May be null. The schedule and the listener must outlive the machine or be taken away.
  void set_schedule(Schedule* schedule);
  void set_listener(Listener* listener);
  /// Nanoseconds since the machine began.
  std::uint64_t now() const;
  /// Time moves only by this, or by a poll that nothing else can end: then to its deadline.
  void advance_time(std::uint64_t nanoseconds);
  /// Over every call, argument, result and the state at the end: equal inputs give equal hashes.
  std::uint64_t hash() const;
  /// Calls begun so far, the one under way included; a call of a dead image is none.
  std::uint64_t calls() const;

  struct Impl;
  Impl& impl() { return *impl_; }
  const Impl& impl() const { return *impl_; }

 private:
  Arena arena_;
  Impl* impl_;
};

/// One process; made by Machine only.
class Process {
 public:
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The current image's view. A dead or replaced image's Kernel answers gone for ever; it lives as long as the
  /// machine.
  os::Kernel& kernel();
  bool alive() const;
  /// 1 for the first process of a machine, and so on.
  std::uint32_t pid() const;
  /// As SIGKILL: descriptors close, the address space goes, at once. Idempotent.
  void kill();
  /// How many images execve has made, from 0.
  std::uint32_t image() const;
  /// Path and joined arguments of the last execve, empty before the first.
  std::string_view command() const;

  // Set-up and probes for tests and tools: they are no calls, leave no trace and ask no schedule.

  /// RLIMIT_NOFILE. Open descriptors beyond it stay open.
  void set_descriptor_limit(std::uint32_t limit);
  /// RLIMIT_MEMLOCK in bytes, and CAP_IPC_LOCK, which makes it void.
  void set_memlock(std::uint64_t limit, bool ipc_lock);
  /// VmLck and VmPin of the current image, in pages; underflow shows as the kernel shows it, as a huge number.
  std::uint64_t locked_pages() const;
  std::uint64_t pinned_pages() const;
  /// CAP_SYS_RESOURCE.
  void set_privileged(bool privileged);
  /// Returns the number, or -1 when the process is dead, the number is taken or beyond the limit.
  int install(const Described& description);
  /// Writes into a memfd or file without moving its offset; false when it is none or memory runs out.
  bool fill(int fd, std::uint64_t offset, std::span<const std::byte> bytes);
  /// A load or store of the CPU; false where it would fault (SIGSEGV, SIGBUS). No partial store.
  bool load(os::UserAddr address, std::span<std::byte> bytes);
  bool store(os::UserAddr address, std::span<const std::byte> bytes);

 protected:
  Process() = default;
  ~Process() = default;
};

}  // namespace vcpr::machine
