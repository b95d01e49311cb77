// Random sequences of calls on VFIO, iommufd and KVM that the simulated machine and a real kernel must answer alike.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "properties/conformance/world.hpp"

namespace vcpr::conformance {

/// What a sequence is about, and on what it begins.
enum class DeviceTheme : std::uint8_t {
  type1,       ///< a container with the first edu's group
  iommufd,     ///< an iommufd with two IOAS, the first edu bound to it
  interrupts,  ///< an edu or the igb, open in a container, and four eventfds
  irqfds       ///< two VMs with routes, and four eventfds
};

enum class DeviceOp : std::uint8_t {
  map,
  map_vaddr,
  unmap,
  unmap_vaddr,
  dirty,
  attach_group,
  detach_group,
  memlock,
  remap_window,
  ioas_alloc,
  ioas_map,
  ioas_map_file,
  ioas_copy,
  ioas_unmap,
  destroy,
  attach,
  detach,
  option,
  change_process,
  set_irqs,
  read_counter,
  write_counter,
  raise,
  reset,
  assign,
  deassign,
  route,
  signal_msi,
  requested,
};
inline constexpr std::size_t kDeviceOps = static_cast<std::size_t>(DeviceOp::requested) + 1;

/// One call; what the operands mean is the op's.
struct DeviceCall {
  DeviceOp op{};
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
};

struct DeviceSequence {
  DeviceTheme theme{};
  bool on_igb = false;  ///< interrupts: which device
  std::vector<DeviceCall> calls;
};

/// The same seed gives the same sequence; its theme is seed % 4.
DeviceSequence generate_device_sequence(std::uint64_t seed, std::size_t length);
/// One line: "map(3, 17, 2)".
std::string print(const DeviceCall& call);
/// Runs in a fresh process of its side; one line per call: what came of it, and what is locked and pinned then.
std::vector<std::string> run_device_sequence(const DeviceSequence& sequence, World& world);

/// A call on which the sides differ.
struct DeviceDifference {
  std::size_t call = 0;
  std::vector<std::string> simulated;
  std::vector<std::string> real;
};

/// Plays a sequence on the simulated machine and on this Linux; the call is sequence.calls.size() when they agree.
DeviceDifference compare_device_sequence(const DeviceSequence& sequence);
/// The sequence without every call that its difference does not need, as text with both sides' answers.
std::string explain_device_difference(DeviceSequence sequence);

}  // namespace vcpr::conformance
