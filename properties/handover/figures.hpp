// How long handovers took, phase by phase.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

namespace vcpr::live {

/// Columns of the table, microseconds; kNoTime: there was no such phase, or it was not seen.
enum class Span : std::uint8_t {
  whole,     ///< from the request until the new process runs the guest
  downtime,  ///< seen by the guest: its longest time between two heartbeats
  table,     ///< transfer: the CPR state, until the new process has it
  build,     ///< the new VM from it
  stop,      ///< the vCPU
  let_go,    ///< devices, addresses, registers
  exec,      ///< from there to the first line of the new image
  state,     ///< the main stream: written, carried, loaded
  take_over,
  run,  ///< until the new process says so
};
inline constexpr std::size_t kSpans = 10;
inline constexpr long kNoTime = -1;
using Times = std::array<long, kSpans>;

/// `old_line`, `new_line`: what both sides noted, as words STEP@MICROSECONDS of one clock.
Times measure(const std::string& old_line, const std::string& new_line, long downtime);

/// The median of each span of handovers that have the same name.
class Figures {
 public:
  void add(const std::string& name, const Times& times) { times_[name].push_back(times); }
  /// Lines of a table in milliseconds, each begins with two spaces; empty without figures.
  std::string table() const;

 private:
  std::map<std::string, std::vector<Times>> times_;
};

}  // namespace vcpr::live
