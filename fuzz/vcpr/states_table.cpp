#include "fuzz/vcpr/states_table.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <map>
#include <string>

namespace vcpr::tool {

namespace {

void print_seen(const std::vector<sweeps::Row>& rows) {
  fmt::print("\n{:<4} {:<19} {:<13} {:>9} {:>9} {:>9}\n", "side", "phase", "event", "given", "kept", "lost");
  for (const sweeps::Row& row : rows) {
    if (row.endings == sweeps::Endings()) continue;
    fmt::print("{:<4} {:<19} {:<13} {:>9} {:>9} {:>9}\n", row.side, row.phase, row.event, row.endings[0],
               row.endings[1], row.endings[2]);
  }
}

void print_never_seen(const std::vector<sweeps::Row>& rows) {
  std::map<std::string, std::string> never;
  for (const sweeps::Row& row : rows) {
    if (row.endings == sweeps::Endings()) (never[fmt::format("{} {}", row.side, row.phase)] += ' ') += row.event;
  }
  fmt::print("\nnever seen:{}\n", never.empty() ? " nothing" : "");
  for (const auto& [phase, events] : never) fmt::print("  {}:{}\n", phase, events);
}

}  // namespace

void print_states(const sweeps::Tally& tally, std::span<const vm_scenario::Action> events) {
  const std::vector<sweeps::Row> rows = tally.rows(events);
  print_seen(rows);
  print_never_seen(rows);
  const auto seen =
      std::ranges::count_if(rows, [](const sweeps::Row& row) { return row.endings != sweeps::Endings(); });
  fmt::print("\n{} of {} pairs of phase and event were seen\n", seen, rows.size());
}

}  // namespace vcpr::tool
