// The one input of everything that hands whole VMs over: a host and its devices, then one list of steps: what the
// devices, the guest and the management do, when the VM is handed over, and what happens before which call of that.
//
// A Scenario is plain data. Its binary form is for engines that mutate blindly: every byte string decodes to a
// scenario. Its text form is for people: properties/vm_scenario/README.md. Both lead to the same values. What an action
// is called, what its operand counts and where it may stand is one table (actions()), from which both forms, the
// mutators and the shrinker follow.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "properties/whole_vm/shape.hpp"

namespace vcpr::vm_scenario {

// Named limits; what exceeds them is dropped when a scenario is normalised.
inline constexpr std::size_t kMaxDevices = 4;
inline constexpr std::size_t kMaxSteps = 64;
inline constexpr std::size_t kMaxHandovers = 6;
inline constexpr std::uint16_t kMaxCall = 2047;  ///< an attempt of the largest shape makes fewer
inline constexpr std::uint8_t kMaxVectors = 8;
inline constexpr std::uint8_t kMaxRamBlocks = 3;
inline constexpr std::uint32_t kMaxMilliseconds = 60'000;
inline constexpr std::uint32_t kLeastSocketBuffer = 4096;

/// What kernels and hosts have or lack; a bit each of Scenario::without.
enum class Feature : std::uint8_t {
  kvm,
  exclusive_irqfds,  ///< one irqfd per eventfd of the host (6.17); without: the latest of each VM wins
  update_vaddr,
  unmap_all,
  dirty_tracking,
  change_process,
  map_file,
  device_cdev,
  dynamic_msix,
  ipc_lock,  ///< CAP_IPC_LOCK of the processes
};
inline constexpr std::uint8_t kFeatures = 10;

struct Device {
  machine::DeviceModel model = machine::DeviceModel::edu;
  whole_vm::Backend backend = whole_vm::Backend::legacy;
  whole_vm::Interrupt interrupt = whole_vm::Interrupt::intx;  ///< edu has no MSI-X: MSI then
  std::uint8_t vectors = 1;                                   ///< 1 .. kMaxVectors, MSI-X only
  bool operator==(const Device&) const = default;
};
inline constexpr std::uint8_t kModels = 3;  ///< edu, igb, nic

enum class Action : std::uint8_t {
  // The devices
  raise,           ///< an interrupt on a line
  start_dma,       ///< a device begins to write to memory (edu)
  complete_dma,    ///< and is done
  device_error,    ///< ERR
  unplug_request,  ///< REQ
  // The guest; nothing while its vCPUs are stopped
  hold,     ///< the CPU takes no interrupts from here on
  release,  ///< it takes them again, and handles what waits
  take,     ///< it takes one, and does not yet end it
  end,      ///< EOI of what it took
  mask,     ///< a line: the mask bit of the vector, or of the pin in the IOAPIC
  unmask,
  disable,  ///< the driver turns a device's interrupts off
  enable,
  // The management; never in the midst of an engine's step: right after it
  suspend,
  wake,
  unplug,
  plug,
  // Handovers
  transfer,
  exec,
  reboot,
  // Only before a call of a handover
  fault,  ///< this call, and the next `times` - 1 that have the point, fail so
  kill_old,
  kill_new,
  cancel_old,  ///< the source is cancelled, after its step
  cancel_new,
  damage,   ///< what is under way between the two is damaged in a place that the seed draws
  advance,  ///< time moves
};
inline constexpr std::uint8_t kActions = static_cast<std::uint8_t>(Action::advance) + 1;

/// What an operand counts; it is taken modulo what there is.
enum class Operand : std::uint8_t { none, line, device, options, fault, seed, milliseconds };

/// Options of a handover, bits of its operand.
inline constexpr std::uint32_t kPlain = 1;      ///< the sides do not ask each other: as with a QEMU
inline constexpr std::uint32_t kStopFirst = 2;  ///< the table is sent with the guest stopped
inline constexpr std::uint32_t kAllOptions = 3;

/// Where an action may stand: between handovers, before a call of one, or both.
struct ActionRule {
  Action action{};
  std::string_view name;
  Operand operand{};
  bool between = true;
  bool pinned = true;
};
/// In order of the enumeration.
std::span<const ActionRule> actions();
inline const ActionRule& rule(Action action) {
  return actions()[static_cast<std::size_t>(action)];
}
inline bool is_handover(Action action) {
  return action == Action::transfer || action == Action::exec || action == Action::reboot;
}

struct Step {
  Action action{};
  bool pinned = false;     ///< before call `call` of the handover above it
  std::uint8_t times = 1;  ///< fault: at least 1
  std::uint16_t call = 0;  ///< of both processes, from 0 at the handover's beginning
  std::uint32_t operand = 0;
  bool operator==(const Step&) const = default;
};

struct Scenario {
  std::uint16_t without = 0;             ///< bit n: Feature n is not there
  std::uint8_t ram_blocks = 1;           ///< 1 .. kMaxRamBlocks
  std::uint8_t noexec = 0;               ///< vm.memfd_noexec, 0 .. 2
  std::uint32_t socket_buffer = 212992;  ///< bytes, from kLeastSocketBuffer
  std::uint32_t turns = 0;               ///< bit n: in turn n (modulo 32) of a handover old steps first (0) or new (1)
  std::vector<Device> devices{};         ///< at least one
  std::vector<Step> steps{};             ///< pinned ones follow their handover, by call
  bool operator==(const Scenario&) const = default;
};

/// Brings every value into its range (modulo), clears what its action does not use, sorts pinned steps by call behind
/// their handover, drops pinned steps without one and what exceeds a limit. Idempotent; what the functions below return
/// is normal.
void normalise(Scenario& scenario);
/// How many lines there are: vectors, or one a device.
std::uint32_t lines(const Scenario& scenario);
bool has(const Scenario& scenario, Feature feature);

// Binary form: a block of kConfigBytes, then records of kRecordBytes. Missing bytes are zero, a zero is the default.
inline constexpr std::size_t kConfigBytes = 16;
inline constexpr std::size_t kRecordBytes = 12;
/// Never fails: every byte string is a scenario.
Scenario decode(std::span<const std::uint8_t> bytes);
/// Canonical: decode(encode(s)) == s for a normal s. Of a scenario that is not, its normal form is encoded.
std::vector<std::uint8_t> encode(const Scenario& scenario);

// Text form.
/// One step: "raise 0", "at 45 fault eventfd_emfile".
std::string text(const Step& step);
std::string print(const Scenario& scenario);
/// "line 3: ..." when it is none.
std::expected<Scenario, std::string> parse(std::string_view text);

// Change; deterministic in their arguments.
/// One to four small edits. `weights` by action, drawn for a whole run (swarm); empty: all alike.
void mutate(Scenario& scenario, std::uint32_t seed, std::span<const std::uint8_t> weights = {});
/// Weights for mutate(): some actions left out, some likely, drawn for a whole run, so that runs differ in kind.
std::array<std::uint8_t, kActions> swarm(std::uint32_t seed);
/// Parts of both.
Scenario cross_over(const Scenario& left, const Scenario& right, std::uint32_t seed);
/// Simpler neighbours, the boldest first; each is normal and weighs less, so that following any chain of them ends.
std::vector<Scenario> shrink_candidates(const Scenario& scenario);
/// What shrinking descends by.
std::uint64_t weight(const Scenario& scenario);

std::string_view name(Feature feature);
std::string_view name(machine::DeviceModel model);
std::string_view name(whole_vm::Backend backend);
std::string_view name(whole_vm::Interrupt interrupt);

/// The VM and its host, as whole_vm builds them.
whole_vm::Shape shape(const Scenario& scenario);

}  // namespace vcpr::vm_scenario
