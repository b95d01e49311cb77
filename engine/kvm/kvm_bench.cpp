// What a route costs in a batch, in the engine alone and with the simulated machine behind it; an irqfd that comes and
// goes; the controllers' state read and set.
#include <benchmark/benchmark.h>

#include "engine/kvm/interrupt_state.hpp"
#include "engine/kvm/vm.hpp"
#include "engine/lifecycle/life_testing.hpp"
#include "engine/os/abi.hpp"
#include "engine/store/null_kernel.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::kvm {
namespace {

/// Takes everything: what is left is the engine's.
class WillingKernel final : public store::NullKernel {
 public:
  WillingKernel() { keeps_closed = false; }
  os::Result<int> open(const char*, int) override { return 3; }
  os::Result<int> ioctl(int, std::uint64_t request, void*) override {
    return request == os::abi::request::kvm_get_api_version ? static_cast<int>(os::abi::kvm_api_version) : 3;
  }
};

void per_item(benchmark::State& state, std::int64_t items) {
  const double all = static_cast<double>(state.iterations()) * static_cast<double>(items);
  state.counters["per_item"] = benchmark::Counter(all, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// A device enables its vectors, then disables them: two commits.
void come_and_go(benchmark::State& state, os::Kernel& kernel) {
  auto vm = Vm::create(kernel, 1);
  std::vector<std::uint32_t> gsis(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    for (std::uint32_t& gsi : gsis) gsi = *vm->add_message_route({.address = 0xfee00000, .data = 0x51});
    benchmark::DoNotOptimize(vm->commit_routes());
    for (std::uint32_t gsi : gsis) vm->remove_route(gsi);
    benchmark::DoNotOptimize(vm->commit_routes());
  }
  per_item(state, state.range(0));
}

void BM_routes_engine_alone(benchmark::State& state) {
  WillingKernel kernel;
  come_and_go(state, kernel);
}

void BM_routes(benchmark::State& state) {
  machine::Machine host;
  come_and_go(state, host.spawn().kernel());
}

void BM_irqfd_assign_and_deassign(benchmark::State& state) {
  machine::Machine host;
  os::Kernel& kernel = host.spawn().kernel();
  auto vm = Vm::create(kernel, 1);
  const int fd = *kernel.eventfd(0, os::abi::efd_nonblock);
  for (auto _ : state) {
    benchmark::DoNotOptimize(vm->assign_irqfd(fd, 24));
    benchmark::DoNotOptimize(vm->deassign_irqfd(fd, 24));
  }
}

void BM_controllers_read_and_set(benchmark::State& state) {
  machine::Machine host;
  os::Kernel& kernel = host.spawn().kernel();
  auto vm = Vm::create(kernel, static_cast<std::uint32_t>(state.range(0)));
  lifecycle::TestLife life(kernel);
  auto controllers = InterruptState::attach(life.life, *vm);
  for (auto _ : state) {
    benchmark::DoNotOptimize((*controllers)->let_go(lifecycle::Mode::cpr_transfer));
    benchmark::DoNotOptimize((*controllers)->check_loaded());
    benchmark::DoNotOptimize((*controllers)->take_over());
  }
  per_item(state, state.range(0));
}

BENCHMARK(BM_routes_engine_alone)->Arg(1)->Arg(64)->Arg(2048);
BENCHMARK(BM_routes)->Arg(1)->Arg(64)->Arg(2048);
BENCHMARK(BM_irqfd_assign_and_deassign);
BENCHMARK(BM_controllers_read_and_set)->Arg(1)->Arg(64);

}  // namespace
}  // namespace vcpr::kvm
