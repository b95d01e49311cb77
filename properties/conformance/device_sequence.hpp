// Random sequences of calls on VFIO, iommufd and KVM that the simulated machine and a real kernel must answer alike.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
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
inline constexpr std::size_t kDeviceThemes = static_cast<std::size_t>(DeviceTheme::irqfds) + 1;

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
std::string_view name(DeviceTheme theme);
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
/// The sequence without every call that its difference does not need, as text with both sides' answers; the whole of it
/// up to what was seen, when it does not come again.
std::string explain_device_difference(DeviceSequence sequence, const DeviceDifference& seen);

/// How often each kind of call was made and came off, over many sequences. Where one never does, sides that agree on it
/// agree on refusals only.
class DeviceOpCounts {
 public:
  /// `told` is what run_device_sequence() gave for the sequence.
  void add(const DeviceSequence& sequence, const std::vector<std::string>& told);
  /// One line per kind of call of each theme that was played: "type1 map: 120 tried, 71 succeeded".
  std::string table() const;
  /// Those lines that end in "0 succeeded"; empty when every kind of call came off.
  std::string futile() const;

 private:
  struct Count {
    bool is_played = false;  // by the theme
    std::uint64_t tried = 0;
    std::uint64_t succeeded = 0;
  };
  template <class Wanted>
  std::string lines(Wanted wanted) const;

  std::array<std::array<Count, kDeviceOps>, kDeviceThemes> counts_{};
};

}  // namespace vcpr::conformance
