// What it costs to play a scenario: boot, one or more handovers, every invariant.
#include <benchmark/benchmark.h>

#include "properties/vm_scenario/run.hpp"

namespace vcpr::vm_scenario {
namespace {

void play(benchmark::State& state, std::string_view text) {
  const auto scenario = parse(text);
  if (!scenario) return state.SkipWithError(scenario.error().c_str());
  std::uint64_t handovers = 0;
  for (auto _ : state) {
    const Outcome outcome = run(*scenario);
    if (outcome.violation) return state.SkipWithError(invariants::text(*outcome.violation).c_str());
    handovers += outcome.endings.size();
  }
  state.counters["handovers"] = benchmark::Counter(static_cast<double>(handovers), benchmark::Counter::kIsRate);
}

void BM_no_handover(benchmark::State& state) {
  play(state, "device igb legacy msix 3\n");
}
void BM_transfer(benchmark::State& state) {
  play(state, "device igb legacy msix 3\ntransfer\n");
}
void BM_transfer_iommufd(benchmark::State& state) {
  play(state, "device edu iommufd intx\ntransfer\n");
}
void BM_exec(benchmark::State& state) {
  play(state, "device igb legacy msix 3\nexec\n");
}
void BM_reboot(benchmark::State& state) {
  play(state, "device igb legacy msix 3\nsuspend\nreboot\n");
}
void BM_chain_of_six(benchmark::State& state) {
  play(state, "device igb legacy msix 3\ntransfer\nexec\ntransfer\nexec\ntransfer\nexec\n");
}
void BM_failed_attempt(benchmark::State& state) {
  play(state, "device igb legacy msix 3\ntransfer\n at 60 kill_new\n");
}
void BM_cancelled_attempt(benchmark::State& state) {
  play(state, "device igb legacy msix 3\ntransfer\n at 0 cancel_old\n");
}

BENCHMARK(BM_no_handover);
BENCHMARK(BM_transfer);
BENCHMARK(BM_transfer_iommufd);
BENCHMARK(BM_exec);
BENCHMARK(BM_reboot);
BENCHMARK(BM_chain_of_six);
BENCHMARK(BM_failed_attempt);
BENCHMARK(BM_cancelled_attempt);

}  // namespace
}  // namespace vcpr::vm_scenario
