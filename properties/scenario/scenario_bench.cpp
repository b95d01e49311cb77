// What a run costs: the harness lives on executions per second.
#include <benchmark/benchmark.h>

#include "properties/scenario/run.hpp"

namespace vcpr::scenario {
namespace {

Scenario scenario_of(std::string_view mode, int entries) {
  std::string text = "vcpr scenario 1\nmode " + std::string(mode) + "\n";
  for (int i = 0; i < entries; ++i)
    text += "save \"0000:3a:00.1_interrupt\" id " + std::to_string(i) + " eventfd counter 1\n";
  return *parse(text);
}

void run_scenario(benchmark::State& state, std::string_view mode) {
  Scenario scenario = scenario_of(mode, static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(run(scenario).hash);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(run_scenario, transfer, "transfer")->Arg(0)->Arg(6)->Arg(100);
BENCHMARK_CAPTURE(run_scenario, exec, "exec")->Arg(0)->Arg(6)->Arg(100);

void decode_bytes(benchmark::State& state) {
  std::vector<std::uint8_t> bytes = encode(scenario_of("transfer", 10));
  for (auto _ : state) benchmark::DoNotOptimize(decode(bytes));
}
BENCHMARK(decode_bytes);

}  // namespace
}  // namespace vcpr::scenario
