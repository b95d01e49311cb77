// The whole state of a machine, for its own rooms: handlers, truth and tests of the machine.
#pragma once

#include <cstdint>
#include <string_view>

#include "properties/machine/address_space.hpp"
#include "properties/machine/description.hpp"
#include "properties/machine/descriptor_table.hpp"
#include "properties/machine/environment.hpp"
#include "properties/machine/hash.hpp"
#include "properties/machine/log.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::machine {

struct IommuGroup;
struct KvmVm;
struct Socket;
struct VfioDevice;

/// A descriptor that was asked for and was not open.
struct BadDescriptor {
  std::uint64_t call_number = 0;
  Process* process = nullptr;
  std::uint32_t image = 0;
  int number = -1;
  Call call{};
};

/// The last reference of a description is gone.
struct Closing {
  std::uint64_t call_number = 0;
  std::uint32_t description = 0;
};

/// A call on a blocking descriptor that on Linux would sleep, or a poll without deadline that nothing ends.
struct WouldBlock {
  std::uint64_t call_number = 0;
  Process* process = nullptr;
  int number = -1;  ///< -1: poll
  Call call{};
};

/// One change of an eventfd's counter.
struct Signal {
  std::uint64_t call_number = 0;
  Process* process = nullptr;  ///< null: the kernel
  std::uint32_t description = 0;
  bool written = false;     ///< or read
  std::uint64_t value = 0;  ///< added, or taken away
};

/// Where an interrupt of a device has got to.
enum class InterruptStage : std::uint8_t {
  raised,     ///< by the function
  pending,    ///< in the function, behind a masked vector or a masked line; in the host, before its first handler
  merged,     ///< into one that was pending there
  signalled,  ///< to the eventfd of its trigger
  lost        ///< the host had nobody for it, or the function may not send it
};

/// One step of an interrupt on its way; `serial` is the same from its raise to its end.
struct InterruptFact {
  std::uint64_t call_number = 0;
  std::uint64_t serial = 0;
  std::uint32_t device = 0;  ///< N of vfioN
  std::uint32_t index = 0;   ///< of VFIO_DEVICE_SET_IRQS
  std::uint32_t vector = 0;
  InterruptStage stage{};
  std::uint32_t description = 0;  ///< the eventfd; 0: none
};

enum class DeviceChangeKind : std::uint8_t { reset, command };

/// A reset of a device, or another value in its command register; by whatever call, open and close included.
struct DeviceChange {
  std::uint64_t call_number = 0;
  std::uint32_t device = 0;  ///< N of vfioN
  DeviceChangeKind kind{};
  std::uint16_t before = 0;  ///< command
  std::uint16_t after = 0;
};

/// A fault point that was met.
struct FaultMet {
  std::uint64_t call_number = 0;
  Process* process = nullptr;
  FaultPoint point{};
};

enum class IovaChangeKind : std::uint8_t {
  mapped,  ///< pinned at once where a device is there that reaches it
  unmapped,
  pinned,    ///< what was mapped before: the first domain, or physical group, has come
  unpinned,  ///< the last one has gone; it stays mapped
  vaddr_invalidated,
  vaddr_updated,
  owner_changed  ///< CHANGE_PROCESS
};

/// One change of what an IOMMU address space maps: a type1 container's or an IOAS's.
struct IovaChange {
  std::uint64_t call_number = 0;
  std::uint32_t space = 0;  ///< Impl::iova_spaces when it was made
  IovaChangeKind kind{};
  std::uint64_t iova = 0;
  std::uint64_t size = 0;      ///< bytes
  std::uint64_t vaddr = 0;     ///< in `process`
  Process* process = nullptr;  ///< who is charged from here on
  std::uint64_t memory = 0;    ///< mapped, pinned: inode of the memory; 0: not looked up yet
  std::uint64_t page = 0;      ///< mapped, pinned: index of the first page in the memory
};

/// One access of a device, within a page.
struct DmaAccess {
  std::uint64_t call_number = 0;
  std::uint32_t device = 0;  ///< N of /dev/vfio/devices/vfioN
  bool write = false;        ///< by the device
  std::uint64_t iova = 0;
  std::uint64_t bytes = 0;
  std::uint64_t memory = 0;  ///< inode of the memory reached; 0: private memory of a process
  std::uint64_t page = 0;    ///< index in the memory
  bool done = false;         ///< false: not translated, or no room for the page
};

inline constexpr std::uint32_t kNoGsi = ~std::uint32_t{0};

/// An interrupt that a VM was asked to take.
struct Injection {
  std::uint64_t call_number = 0;
  std::uint32_t vm = 0;       ///< description of the VM's file
  std::uint32_t eventfd = 0;  ///< description of the irqfd's eventfd; 0: by ioctl
  std::uint32_t gsi = 0;      ///< kNoGsi: a message without one
  int result = 0;             ///< of kvm_set_irq: < 0 ignored (no route, masked), 0 coalesced, else how many took it
};

/// A vector that reached a vCPU's local APIC.
struct Delivery {
  std::uint64_t call_number = 0;
  std::uint32_t vm = 0;  ///< description of the VM's file
  std::uint32_t vcpu = 0;
  std::uint8_t vector = 0;
  bool level = false;
  bool is_new = false;  ///< it was not pending already
};

/// A name at which connect() finds a socket. Those in the file system outlive the socket, abstract ones do not.
struct BoundName {
  std::string_view path;
  Socket* socket = nullptr;  ///< null once it is closed
  std::uint64_t inode = 0;
  BoundName* next = nullptr;
};

struct ProcessState final : Process {
  ProcessState(Machine::Impl& of, std::uint32_t number);
  ~ProcessState() = default;

  Machine::Impl& machine;
  DescriptorTable table;
  AddressSpace space;
  Environment environment;
  std::string_view command_line;
  os::Kernel* current = nullptr;  ///< of the current image; its earlier ones are gone
  ProcessState* next = nullptr;
  std::uint32_t id;
  std::uint32_t images = 0;
  std::uint32_t descriptor_limit = 0;
  bool lives = true;
  bool can_exceed_limits = false;
  std::uint64_t memlock_limit = 0;
  bool can_lock_memory = true;  ///< CAP_IPC_LOCK
  std::uint64_t call_count = 0;
  std::uint32_t calls_of[kCallCount] = {};
};

struct Machine::Impl {
  Impl(Arena& memory, const Switches& chosen) : arena(memory), switches(chosen) {}

  Arena& arena;
  Switches switches;
  Schedule* schedule = nullptr;
  Listener* listener = nullptr;
  bool in_schedule = false;
  std::uint64_t now = 0;
  std::uint64_t calls = 0;
  std::uint64_t current_call = 0;  ///< number of the one under way
  Hasher trace;
  ProcessState* first_process = nullptr;
  ProcessState* last_process = nullptr;
  std::uint32_t process_count = 0;
  Description* first_description = nullptr;
  Description* last_description = nullptr;
  Description* dying = nullptr;
  bool tearing_down = false;
  bool cycles_wanted = false;  ///< a socket was closed: the collector of cycles is due
  std::uint32_t description_count = 0;
  std::uint32_t open_descriptions = 0;
  std::uint64_t next_inode = 1000;
  BoundName* names = nullptr;
  IommuGroup* groups = nullptr;         ///< by number
  VfioDevice* devices = nullptr;        ///< in the order they were plugged
  KvmVm* vms = nullptr;                 ///< in the order they were made; those still referenced
  std::uint64_t user_locked_pages = 0;  ///< charged to the user of all processes, by iommufd in RLIMIT_MODE 0
  std::uint32_t device_count = 0;
  std::uint32_t in_flight = 0;          ///< descriptors in messages not yet received
  std::uint32_t sockets_in_flight = 0;  ///< those of them that are sockets
  std::uint32_t irqfds_too_many = 0;    ///< beyond the first of their eventfd; by the older rule of other VMs only
  Log<BadDescriptor> bad_descriptors;
  Log<Closing> closings;
  Log<WouldBlock> would_block;
  Log<Signal> signals;
  Log<FaultMet> faults;
  Log<Injection> injections;
  Log<Delivery> deliveries;
  std::uint32_t iova_spaces = 0;  ///< made so far
  Log<IovaChange> iova_changes;
  Log<DmaAccess> dma;
  Log<InterruptFact> interrupts;
  Log<DeviceChange> device_changes;
  std::uint64_t interrupts_raised = 0;
  std::uint32_t vectors_in_use = 0;              ///< message vectors that devices have of the host's
  std::uint64_t next_timer = ~std::uint64_t{0};  ///< of a device; nanoseconds
};

/// One call under way, as its handler sees it.
struct Context {
  Machine::Impl& machine;
  ProcessState& process;
  Call call;
  FaultPoint fault;                     ///< asked for by the schedule
  FaultPoint met = FaultPoint::none;    ///< and reached
  FaultSet passed{};                    ///< every point that it came by
  std::span<const std::byte> output{};  ///< what the call wrote into the caller's buffer, for the trace

  /// True once, at the place where the real handler would meet this failure.
  bool fires(FaultPoint point) {
    passed.set(static_cast<std::size_t>(point));
    if (fault != point || met != FaultPoint::none) return false;
    met = point;
    return true;
  }
  /// Null after recording that `number` is not open.
  Slot* find(int number);
  /// EAGAIN; a fact when the description is a blocking one.
  std::unexpected<os::Errno> would_block(int number, const Description& description);
  /// Whether that many numbers are free below the limit.
  bool has_free_number(std::uint32_t count = 1) const;
  /// Opens the lowest free number at or above `from`; the reference is the caller's new one. EMFILE.
  os::Result<int> install(Description& description, bool close_on_exec, std::uint32_t from = 0);
};

ProcessState& state_of(Process& process);
/// Removes a descriptor from its table and drops its reference.
void close_descriptor(ProcessState& process, std::uint32_t number);

/// Copies of text in the arena.
std::string_view keep_text(Arena& arena, std::string_view text);
void forget_text(Arena& arena, std::string_view text);

}  // namespace vcpr::machine
