// What saving and loading the CPR state costs: in memory with numbers that are no descriptors, and over a real socket
// with real eventfds between two processes' worth of descriptors.
#include <benchmark/benchmark.h>
#include <cstdint>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "engine/handover/cpr_state.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/store/null_kernel.hpp"

namespace vcpr::handover {
namespace {

/// Entries as a machine with many devices has them: eight vectors each.
std::string name_of(std::size_t entry) {
  return "0000:" + std::to_string(10 + entry / 256) + ":" + std::to_string(10 + entry / 8 % 32) + ".0_kvm_interrupt";
}

CprState numbered(store::NullKernel& kernel, std::size_t entries) {
  CprState state;
  for (std::size_t i = 0; i < entries; ++i) {
    std::string name = name_of(i);
    (void)state.descriptors.adopt({name, static_cast<std::int32_t>(i % 8)}, kernel, static_cast<int>(i));
  }
  return state;
}

/// Four descriptors and one device record in 158 bytes.
CprState smallest_real(store::NullKernel& kernel) {
  CprState state;
  int number = 0;
  for (std::string_view name : {"memory-backend-ram0", "pc.bios0", "iommufd0", "0000:00:07.0"}) {
    (void)state.descriptors.adopt({name, 0}, kernel, number++);
  }
  (void)state.devices.add("0000:00:07.0", {1, 2, 3});
  return state;
}

struct NullKernelThatKeepsNothing : store::NullKernel {
  NullKernelThatKeepsNothing() { keeps_closed = false; }
};

void per_entry(benchmark::State& state, std::size_t entries) {
  double all = static_cast<double>(state.iterations()) * static_cast<double>(entries);
  state.counters["per_entry"] = benchmark::Counter(all, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_save(benchmark::State& state) {
  NullKernelThatKeepsNothing kernel;
  auto entries = static_cast<std::size_t>(state.range(0));
  CprState cpr = numbered(kernel, entries);
  for (auto _ : state) {
    wire::Outbox out;
    benchmark::DoNotOptimize(save_cpr_state(cpr, Encoding::transfer, out));
  }
  per_entry(state, entries);
}

/// An Inbox as a receiver would have filled it.
wire::Inbox received(os::Kernel& kernel, const wire::Outbox& out) {
  wire::Inbox in{out.bytes, {}};
  in.descriptors.reserve(out.descriptors.size());
  for (const wire::RidingFd& riding : out.descriptors) {
    in.descriptors.push_back({riding.offset, os::Fd(kernel, riding.number)});
  }
  return in;
}

/// Times loads and the closing of what they made; the arrivals are made beforehand, a batch at a time.
void load(benchmark::State& state, os::Kernel& kernel, const CprState& cpr) {
  wire::Outbox out;
  if (!save_cpr_state(cpr, Encoding::transfer, out)) state.SkipWithError("not saved");
  constexpr std::size_t kEntriesAtOnce = 4096;
  std::size_t batch = kEntriesAtOnce / cpr.descriptors.size() + 1;
  std::vector<wire::Inbox> arrivals;
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(batch))) {
    state.PauseTiming();
    arrivals.clear();
    for (std::size_t i = 0; i < batch; ++i) arrivals.push_back(received(kernel, out));
    state.ResumeTiming();
    for (wire::Inbox& arrival : arrivals) {
      auto loaded = load_cpr_state(kernel, std::move(arrival), Encoding::transfer);
      if (!loaded) return state.SkipWithError(loaded.error().message().c_str());
      benchmark::DoNotOptimize(loaded);
    }
  }
  state.counters["bytes"] = static_cast<double>(out.bytes.size());
  state.SetItemsProcessed(state.iterations());
  per_entry(state, cpr.descriptors.size());
}

void BM_load(benchmark::State& state) {
  NullKernelThatKeepsNothing kernel;
  load(state, kernel, numbered(kernel, static_cast<std::size_t>(state.range(0))));
}

void BM_load_four_entries_and_a_record(benchmark::State& state) {
  NullKernelThatKeepsNothing kernel;
  load(state, kernel, smallest_real(kernel));
}

/// Real descriptors over a real socket, both sides stepped in turn in one process, from recording to the acknowledged
/// state. `verified`: the names demand eventfds, which costs the target one readlink each.
void transfer(benchmark::State& state, bool verified) {
  auto kernel = os::linux_kernel();
  rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  auto entries = static_cast<std::size_t>(state.range(0));
  if (limit.rlim_cur < 2 * entries + 64) return state.SkipWithError("RLIMIT_NOFILE is too low");
  CprState cpr;
  for (std::size_t i = 0; i < entries; ++i) {
    std::string name = name_of(i) + (verified ? "" : "_any");
    os::Fd fd(*kernel, kernel->eventfd(0, os::abi::efd_cloexec).value_or(-1));
    if (!cpr.descriptors.save({name, static_cast<std::int32_t>(i % 8)}, std::move(fd)))
      state.SkipWithError("not saved");
  }
  for (auto _ : state) {
    auto [one, two] = *kernel->socketpair(os::abi::af_unix, os::abi::sock_stream | os::abi::sock_cloexec, 0);
    TransferTarget target(*kernel, os::Fd(*kernel, two), TransferTarget::Given::connected);
    TransferSource source(*kernel, os::Fd(*kernel, one), cpr);
    for (bool done = false; !done;) {
      auto sent = source.advance();
      auto taken = target.advance();
      if (!sent || !taken) return state.SkipWithError((sent ? taken : sent).error().message().c_str());
      if (taken->done) target.acknowledge();
      done = sent->done;
    }
    auto loaded = target.take_state();
    state.PauseTiming();
    loaded = CprState{};
    state.ResumeTiming();
  }
  per_entry(state, entries);
}

void BM_transfer_over_a_socket(benchmark::State& state) {
  transfer(state, false);
}
void BM_transfer_and_verify_kinds(benchmark::State& state) {
  transfer(state, true);
}

BENCHMARK(BM_save)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_load)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_load_four_entries_and_a_record);
BENCHMARK(BM_transfer_over_a_socket)->RangeMultiplier(10)->Range(10, 10000)->UseRealTime();
BENCHMARK(BM_transfer_and_verify_kinds)->Arg(1000)->UseRealTime();

}  // namespace
}  // namespace vcpr::handover
