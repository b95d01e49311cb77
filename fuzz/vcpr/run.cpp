// vcpr run: inputs through a target, as a fuzzing engine would do it. A violation aborts.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/target_input.hpp"

namespace vcpr::tool {

namespace {

int run(const TargetInput& arguments) {
  auto paths = fuzz::list_inputs(arguments.path);
  if (!paths) return complain(kMisuse, paths.error());
  for (const auto& path : *paths) {
    auto input = fuzz::read_input(chosen(arguments), path);
    if (!input) return complain(kMisuse, input.error());
    fmt::print("{} ", path.string());
    std::fflush(stdout);  // the line must be there when the run aborts
    fmt::print("{} bytes, hash {:016x}\n", input->size(), chosen(arguments).run(*input, nullptr).hash);
  }
  fmt::print("{} inputs held\n", paths->size());
  return kDone;
}

}  // namespace

void add_run(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("run", "Run inputs through a target; a violation aborts");
  auto arguments = add_target_input(*command, "PATH", "Input file, or a folder of them");
  command->callback([&status, arguments] { status = run(*arguments); });
}

}  // namespace vcpr::tool
