#include "properties/conformance/device_sequence.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "properties/conformance/device_players.hpp"
#include "properties/conformance/linux_world.hpp"
#include "properties/forms/choice.hpp"

namespace vcpr::conformance {

namespace {

constexpr std::array<std::string_view, kDeviceOps> kNames = {
    "map",           "map_vaddr",    "unmap",      "unmap_vaddr", "dirty",          "attach_group", "detach_group",
    "memlock",       "remap_window", "ioas_alloc", "ioas_map",    "ioas_map_file",  "ioas_copy",    "ioas_unmap",
    "destroy",       "attach",       "detach",     "option",      "change_process", "set_irqs",     "read_counter",
    "write_counter", "raise",        "reset",      "assign",      "deassign",       "route",        "signal_msi",
    "requested"};

constexpr std::array<std::string_view, kDeviceThemes> kThemeNames = {"type1", "iommufd", "interrupts", "irqfds"};

constexpr std::array kType1 = {
    DeviceOp::map,          DeviceOp::map,       DeviceOp::map,         DeviceOp::unmap, DeviceOp::unmap,
    DeviceOp::unmap_vaddr,  DeviceOp::map_vaddr, DeviceOp::map_vaddr,   DeviceOp::dirty, DeviceOp::attach_group,
    DeviceOp::detach_group, DeviceOp::memlock,   DeviceOp::remap_window};
constexpr std::array kIommufd = {DeviceOp::ioas_alloc,    DeviceOp::ioas_map,      DeviceOp::ioas_map,
                                 DeviceOp::ioas_map_file, DeviceOp::ioas_map_file, DeviceOp::ioas_copy,
                                 DeviceOp::ioas_unmap,    DeviceOp::ioas_unmap,    DeviceOp::destroy,
                                 DeviceOp::attach,        DeviceOp::detach,        DeviceOp::option,
                                 DeviceOp::change_process};
constexpr std::array kInterrupts = {
    DeviceOp::set_irqs,     DeviceOp::set_irqs,     DeviceOp::set_irqs,      DeviceOp::set_irqs, DeviceOp::set_irqs,
    DeviceOp::read_counter, DeviceOp::read_counter, DeviceOp::write_counter, DeviceOp::raise,    DeviceOp::reset};
constexpr std::array kIrqfds = {
    DeviceOp::assign,        DeviceOp::assign,        DeviceOp::deassign, DeviceOp::deassign,   DeviceOp::read_counter,
    DeviceOp::write_counter, DeviceOp::write_counter, DeviceOp::route,    DeviceOp::signal_msi, DeviceOp::requested};

std::span<const DeviceOp> ops_of(DeviceTheme theme) {
  switch (theme) {
    case DeviceTheme::type1:
      return kType1;
    case DeviceTheme::iommufd:
      return kIommufd;
    case DeviceTheme::interrupts:
      return kInterrupts;
    case DeviceTheme::irqfds:
      return kIrqfds;
  }
  return {};
}

std::uint32_t next(forms::Choice& choice) {
  return static_cast<std::uint32_t>(choice.next() >> 16);
}

/// A line that begins with a value, here or in a child, tells of success; one with a name, of its errno.
bool succeeded(std::string_view line) {
  constexpr std::string_view kInChild = "child ";
  if (line.starts_with(kInChild)) line.remove_prefix(kInChild.size());
  return line.starts_with("set") || (!line.empty() && line.front() >= '0' && line.front() <= '9');
}

}  // namespace

std::string_view name(DeviceTheme theme) {
  return kThemeNames[static_cast<std::size_t>(theme)];
}

void DeviceOpCounts::add(const DeviceSequence& sequence, const std::vector<std::string>& told) {
  auto& counts = counts_[static_cast<std::size_t>(sequence.theme)];
  for (const DeviceOp each : ops_of(sequence.theme)) counts[static_cast<std::size_t>(each)].is_played = true;
  for (std::size_t i = 0; i < std::min(told.size(), sequence.calls.size()); ++i) {
    Count& count = counts[static_cast<std::size_t>(sequence.calls[i].op)];
    ++count.tried;
    if (succeeded(told[i])) ++count.succeeded;
  }
}

template <class Wanted>
std::string DeviceOpCounts::lines(Wanted wanted) const {
  std::string text;
  for (std::size_t theme = 0; theme < kDeviceThemes; ++theme)
    for (std::size_t op = 0; op < kDeviceOps; ++op) {
      const Count& count = counts_[theme][op];
      if (!count.is_played || !wanted(count)) continue;
      text += "  " + std::string(kThemeNames[theme]) + " " + std::string(kNames[op]) + ": ";
      text += std::to_string(count.tried) + " tried, " + std::to_string(count.succeeded) + " succeeded\n";
    }
  return text;
}

std::string DeviceOpCounts::table() const {
  return lines([](const Count&) { return true; });
}
std::string DeviceOpCounts::futile() const {
  return lines([](const Count& count) { return count.succeeded == 0; });
}

DeviceSequence generate_device_sequence(std::uint64_t seed, std::size_t length) {
  constexpr std::uint32_t kOperands = 0x10000;
  forms::Choice choice(seed);
  DeviceSequence sequence{.theme = static_cast<DeviceTheme>(seed % 4), .on_igb = seed / 4 % 4 == 0, .calls = {}};
  const auto ops = ops_of(sequence.theme);
  for (std::size_t i = 0; i < length; ++i) {
    const DeviceOp op = ops[next(choice) % ops.size()];
    sequence.calls.push_back({op, next(choice) % kOperands, next(choice) % kOperands, next(choice) % kOperands});
  }
  return sequence;
}

std::string print(const DeviceCall& call) {
  std::string line(kNames[static_cast<std::size_t>(call.op)]);
  line += "(" + std::to_string(call.a) + ", " + std::to_string(call.b);
  return line + ", " + std::to_string(call.c) + ")";
}

std::vector<std::string> run_device_sequence(const DeviceSequence& sequence, World& world) {
  Report told;
  world.in_child([&](World& child, Report& lines) { play_device_sequence(sequence, child, lines); }, told);
  return told.failures();
}

DeviceDifference compare_device_sequence(const DeviceSequence& sequence) {
  DeviceDifference sides;
  sides.simulated = run_device_sequence(sequence, *simulated_world(true));
  sides.real = run_device_sequence(sequence, *linux_world({}));
  // A side that ended early, or told of a death, differs from there on.
  sides.simulated.resize(sequence.calls.size());
  sides.real.resize(std::max(sides.real.size(), sequence.calls.size()));
  while (sides.call < sequence.calls.size() && sides.simulated[sides.call] == sides.real[sides.call]) ++sides.call;
  return sides;
}

namespace {

std::string text_of(const DeviceSequence& sequence, const DeviceDifference& sides) {
  std::string text;
  for (std::size_t i = 0; i <= sides.call && i < sequence.calls.size(); ++i) {
    text += "  " + print(sequence.calls[i]) + " = " + sides.simulated[i];
    if (sides.simulated[i] != sides.real[i]) text += "   <-- Linux: " + sides.real[i];
    text += "\n";
  }
  return text;
}

}  // namespace

std::string explain_device_difference(DeviceSequence sequence, const DeviceDifference& seen) {
  const auto differs = [](const DeviceSequence& each) {
    return compare_device_sequence(each).call < each.calls.size();
  };
  const std::size_t needed = compare_device_sequence(sequence).call + 1;
  if (needed > sequence.calls.size()) return text_of(sequence, seen) + "  no difference when played again\n";
  sequence.calls.resize(needed);
  for (std::size_t i = sequence.calls.size(); i-- > 0;) {
    DeviceSequence shorter = sequence;
    shorter.calls.erase(shorter.calls.begin() + static_cast<std::ptrdiff_t>(i));
    if (differs(shorter)) sequence = std::move(shorter);
  }
  return text_of(sequence, compare_device_sequence(sequence));
}

}  // namespace vcpr::conformance
