// The one input model: what an old process holds, how it hands over, what goes wrong meanwhile, what the new one
// claims.
//
// A Scenario is plain data. Its binary form is for engines that mutate blindly: every byte string decodes to a
// scenario. Its text form is for people: properties/scenario/README.md. Both lead to the same values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vcpr::scenario {

// Named limits; what exceeds them is dropped when a scenario is normalised.
inline constexpr std::size_t kMaxEntries = 300;  ///< above SCM_MAX_FD, so that no single message can carry them
inline constexpr std::size_t kMaxDevices = 16;
inline constexpr std::size_t kMaxClaims = 300;
inline constexpr std::size_t kMaxEvents = 32;
inline constexpr std::uint8_t kMaxHandovers = 4;
inline constexpr std::uint32_t kMaxMemfdBytes = 16u << 20;
inline constexpr std::uint16_t kMaxLongName = 2048;  ///< twice what the store accepts

/// How the CPR state travels.
enum class Mode : std::uint8_t {
  transfer,       ///< the target listens at a path, the source connects to it
  transfer_pair,  ///< over a socket pair that the embedder made
  exec,           ///< memfd and environment, the process stays
};
inline constexpr std::uint8_t kModes = 3;

/// Which writers the new process accepts (handover::Peer in the same order).
enum class Accept : std::uint8_t { current, qemu_10_0, stub };
inline constexpr std::uint8_t kAccepts = 3;

/// What the new process claims from its table after the load.
enum class Claiming : std::uint8_t { all, listed };
inline constexpr std::uint8_t kClaimings = 2;

/// What a descriptor refers to. same_as is last: it needs an earlier entry.
enum class Object : std::uint8_t {
  eventfd,
  memfd,
  vfio_container,
  vfio_group,
  vfio_device,
  iommufd,
  null_device,
  socket,
  same_as,
};
inline constexpr std::uint8_t kObjects = 9;

/// The names of a CPR table by family; `index` tells members apart, `length` belongs to long_text only.
enum class NameKind : std::uint8_t {
  ram,             ///< "ram3"
  rom,             ///< "/rom@etc/3"
  vfio_group,      ///< "vfio_group"
  container,       ///< "vfio_container_for_group"
  device,          ///< "0000:3a:00.3"
  interrupt,       ///< "0000:3a:00.3_interrupt"
  kvm_interrupt,   ///< "0000:3a:00.3_kvm_interrupt"
  intx_interrupt,  ///< "0000:3a:00.3_intx-interrupt"
  intx_unmask,     ///< "0000:3a:00.3_intx-unmask"
  err_notifier,    ///< "0000:3a:00.3_err_notifier"
  req_notifier,    ///< "0000:3a:00.3_req_notifier"
  iommufd,         ///< "iommufd3"
  empty,           ///< "": every table refuses it
  long_text,       ///< `length` times the letter 'a' + index
};
inline constexpr std::uint8_t kNameKinds = 14;

struct Name {
  NameKind kind = NameKind::ram;
  std::uint8_t index = 0;
  std::uint16_t length = 0;
  bool operator==(const Name&) const = default;
};
/// The bytes of a name.
std::string text(const Name& name);
/// The name with these bytes; nothing when no family has it.
bool find_name(std::string_view bytes, Name& name);

/// Flags of an entry's descriptor.
inline constexpr std::uint8_t kNonBlocking = 1;  ///< O_NONBLOCK (eventfd, socket)
inline constexpr std::uint8_t kSemaphore = 2;    ///< EFD_SEMAPHORE
inline constexpr std::uint8_t kKeptOnExec = 4;   ///< without close-on-exec in the old process
inline constexpr std::uint8_t kAllFlags = 7;
inline constexpr std::uint8_t kAllSeals = 0x1f;  ///< F_SEAL_SEAL .. F_SEAL_FUTURE_WRITE

/// One descriptor and the key it is saved under.
struct Entry {
  Object object = Object::eventfd;
  Name name;
  std::int32_t id = 0;
  std::uint32_t value = 0;   ///< eventfd: counter; memfd: bytes; vfio group and device: number; same_as: earlier entry
  std::uint32_t offset = 0;  ///< memfd: file offset, at most `value`
  std::uint8_t flags = 0;
  std::uint8_t seals = 0;  ///< memfd
  bool operator==(const Entry&) const = default;
};

/// One device record; the name is that of NameKind::device with this index.
struct Device {
  std::uint8_t index = 0;
  std::int32_t devid = 1;
  std::uint32_t ioas_id = 1;
  std::uint32_t hwpt_id = 1;
  bool operator==(const Device&) const = default;
};

/// What happens between two calls.
enum class Action : std::uint8_t {
  fault,       ///< the next `times` calls that have this fault point fail so; operand: machine::FaultPoint
  kill_old,    ///< SIGKILL
  kill_new,    ///< SIGKILL; in exec mode the one process is old until execve and new from then on
  advance,     ///< time moves by operand microseconds
  signal,      ///< the eventfd of entry `operand` is signalled, as a device would
  add_entry,   ///< old saves one more eventfd: the table is not the one that was recorded (W1)
  drop_entry,  ///< old removes entry `operand`, whatever the source is doing (W2, W3)
  half_close,  ///< old's socket is shut for writing early
  cancel_old,  ///< the source is cancelled
  cancel_new,  ///< the target is dropped
  step_other,  ///< the other process advances once, within this call
  freeze_old,  ///< old stays alive and does nothing more in this attempt
  freeze_new,  ///< so does new
};
inline constexpr std::uint8_t kActions = 13;

/// An action before call number `call` of attempt `handover`; calls of both processes count, from 0 at its beginning.
struct Event {
  std::uint8_t handover = 0;
  Action action = Action::fault;
  std::uint8_t times = 1;  ///< fault: how often, at least 1
  std::uint32_t call = 0;
  std::uint32_t operand = 0;
  bool operator==(const Event&) const = default;
};

struct Scenario {
  Mode mode = Mode::transfer;
  Accept accept = Accept::current;
  std::uint8_t handovers = 1;  ///< attempts in a row, 1 .. kMaxHandovers
  Claiming claiming = Claiming::all;
  std::uint16_t descriptor_limit = 1024;  ///< RLIMIT_NOFILE of each new process, 8 .. 1024
  std::uint32_t socket_buffer = 212992;   ///< bytes, 256 .. 212992
  std::uint32_t turns = 0;                ///< bit n: in round n (modulo 32) old goes first (0) or new (1)
  std::uint16_t connect_timeout = 5000;   ///< ms, from 1
  std::uint16_t transfer_timeout = 5000;  ///< ms, from 1
  std::uint16_t hang_up_timeout = 30000;  ///< ms, from 1
  std::vector<Entry> entries;
  std::vector<Device> devices;
  std::vector<std::uint16_t> claims;  ///< entries by position, in this order; with Claiming::listed
  std::vector<Event> events;          ///< by handover and call; equal ones in order of the list
  bool operator==(const Scenario&) const = default;
};

/// Brings every value into its range (modulo, references modulo the entries there are), clears what its kind does not
/// use, sorts events, drops what exceeds a limit. Idempotent; what the functions below return is normal.
void normalise(Scenario& scenario);

// Binary form: a block of kConfigBytes, then records of kRecordBytes. Missing bytes are zero, a zero is the default.
inline constexpr std::size_t kConfigBytes = 24;
inline constexpr std::size_t kRecordBytes = 20;
inline constexpr std::uint8_t kVersion = 1;
/// Never fails: every byte string is a scenario.
Scenario decode(std::span<const std::uint8_t> bytes);
/// Canonical: decode(encode(s)) == s for a normal s. Of a scenario that is not, its normal form is encoded.
std::vector<std::uint8_t> encode(const Scenario& scenario);

// Text form.
std::string print(const Scenario& scenario);
struct ParseError {
  std::size_t line = 0;  ///< from 1
  std::string reason;
  std::string message() const;  ///< "line 3: ..."
};
std::expected<Scenario, ParseError> parse(std::string_view text);

// Change; deterministic in their arguments.
/// One to four small edits.
void mutate(Scenario& scenario, std::uint32_t seed);
/// Parts of both.
Scenario cross_over(const Scenario& left, const Scenario& right, std::uint32_t seed);
/// Simpler neighbours, the boldest first; each is normal, differs from the scenario, and encodes to fewer or smaller
/// parts, so that following any chain of them ends.
std::vector<Scenario> shrink_candidates(const Scenario& scenario);
/// What shrinking descends by: every candidate weighs less than its scenario.
std::uint64_t weight(const Scenario& scenario);

std::string_view name(Mode mode);
std::string_view name(Accept accept);
std::string_view name(Claiming claiming);
std::string_view name(Object object);
std::string_view name(Action action);

}  // namespace vcpr::scenario
