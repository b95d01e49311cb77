// vcpr sweep: every single event at every call boundary of canonical handovers.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/core.h>
#include <memory>
#include <unistd.h>

#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/sweep_run.hpp"

namespace vcpr::tool {

namespace {

std::size_t cores() {
  return static_cast<std::size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

void list() {
  for (const sweeps::Canonical& each : sweeps::canonical()) fmt::print("{}\n", each.name);
}

}  // namespace

void add_sweep(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand(
      "sweep", "Disturb canonical handovers at every call: an interrupt, a fault, a death, a DMA, a step of the guest");
  auto options = std::make_shared<SweepOptions>();
  auto lists = std::make_shared<bool>(false);
  options->jobs = cores();
  command->add_option("NAME", options->names,
                      "Canonical handovers, whole or from the left (\"exec.legacy\"); else all");
  command->add_flag("--list", *lists, "Name the canonical handovers");
  command->add_option("--jobs", options->jobs, "Processes at work")->check(CLI::Range(1, 1024))->capture_default_str();
  command->add_option("--pairs", options->pairs, "Pairs of events drawn for each canonical handover")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "What pairs are drawn with")->capture_default_str();
  command->add_option("--resume", options->resume, "File that keeps what is done; a sweep that finds one goes on");
  command->add_option("--out", options->out, "Folder for the scenarios of findings")->capture_default_str();
  command->callback([&status, options, lists] {
    if (*lists)
      list();
    else
      status = run_sweep(*options);
  });
}

}  // namespace vcpr::tool
