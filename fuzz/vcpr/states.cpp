// vcpr states: which events met which phases of a handover in these inputs, and how the attempts ended.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/states_table.hpp"
#include "fuzz/vcpr/target_input.hpp"

namespace vcpr::tool {

namespace {

using vm_scenario::Action;

/// What can happen in the midst of an attempt.
std::vector<Action> events() {
  std::vector<Action> found;
  for (const vm_scenario::ActionRule& each : vm_scenario::actions()) {
    if (each.pinned) found.push_back(each.action);
  }
  return found;
}

int show_states(const TargetInput& arguments) {
  const fuzz::Target& target = chosen(arguments);
  auto paths = fuzz::list_inputs(arguments.path);
  if (!paths) return complain(kMisuse, paths.error());
  sweeps::Tally tally;
  for (const auto& path : *paths) {
    auto input = fuzz::read_input(target, path);
    if (!input) return complain(kMisuse, input.error());
    auto scenario = vm_scenario::parse(target.print == nullptr ? "" : target.print(*input));
    if (!scenario) return complain(kMisuse, std::string(target.name) + " has no scenarios of whole VMs");
    tally.add(vm_scenario::run(*scenario));
  }
  print_states(tally, events());
  fmt::print("{} inputs, {} handovers\n", tally.scenarios(), tally.handovers());
  return kDone;
}

}  // namespace

void add_states(CLI::App& tool, int& status) {
  CLI::App* command =
      tool.add_subcommand("states", "Which events met which phases of a handover in inputs of a target");
  auto arguments = add_target_input(*command, "PATH", "Input file, or a folder of them");
  command->callback([&status, arguments] { status = show_states(*arguments); });
}

}  // namespace vcpr::tool
