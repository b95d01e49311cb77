#include "engine/lifecycle/run_state.hpp"

#include <utility>

namespace vcpr::lifecycle {

namespace {

/// The spelling of qapi/run-state.json.
constexpr std::pair<RunState, std::string_view> kNames[] = {
    {RunState::prelaunch, "prelaunch"},     {RunState::running, "running"},
    {RunState::suspended, "suspended"},     {RunState::paused, "paused"},
    {RunState::inmigrate, "inmigrate"},     {RunState::finish_migrate, "finish-migrate"},
    {RunState::postmigrate, "postmigrate"},
};

}  // namespace

std::string_view name(RunState state) {
  for (const auto& [each, text] : kNames) {
    if (each == state) return text;
  }
  return "unknown";
}

std::optional<RunState> run_state_named(std::string_view text) {
  for (const auto& [each, spelled] : kNames) {
    if (spelled == text) return each;
  }
  return std::nullopt;
}

}  // namespace vcpr::lifecycle
