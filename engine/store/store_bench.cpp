// What the table costs per entry, beside the floor of the memory it lives in. Descriptors are numbers only.
#include <benchmark/benchmark.h>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "engine/os/linux_kernel.hpp"
#include "engine/store/descriptor_kind.hpp"
#include "engine/store/descriptor_table.hpp"
#include "engine/store/null_kernel.hpp"

namespace vcpr::store {
namespace {

/// Names as a machine with many devices has them: eight vectors each.
struct Keys {
  std::vector<std::string> names;
  std::vector<std::uint32_t> shuffled;

  explicit Keys(std::size_t count) : names(count), shuffled(count) {
    for (std::size_t i = 0; i < count; ++i) {
      names[i] = "0000:" + std::to_string(10 + i / 256) + ":" + std::to_string(10 + i / 8 % 32) + ".0_kvm_interrupt";
    }
    std::iota(shuffled.begin(), shuffled.end(), 0u);
    std::uint32_t state = 1;
    for (std::size_t i = count; i > 1; --i) {
      state = state * 1664525u + 1013904223u;
      std::swap(shuffled[i - 1], shuffled[state % i]);
    }
  }
  Key operator[](std::size_t i) const { return {names[i], static_cast<std::int32_t>(i % 8)}; }
};

void fill(DescriptorTable& table, NullKernel& kernel, const Keys& keys) {
  for (std::size_t i = 0; i < keys.names.size(); ++i) {
    benchmark::DoNotOptimize(table.save(keys[i], os::Fd(kernel, static_cast<int>(i))));
  }
}

void per_entry(benchmark::State& state) {
  double entries = static_cast<double>(state.iterations()) * static_cast<double>(state.range(0));
  state.counters["per_entry"] = benchmark::Counter(entries, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_save_and_close(benchmark::State& state) {
  NullKernel kernel;
  kernel.keeps_closed = false;
  Keys keys(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    DescriptorTable table;
    fill(table, kernel, keys);
  }
  per_entry(state);
}

void BM_find_in_order(benchmark::State& state) {
  NullKernel kernel;
  kernel.keeps_closed = false;
  Keys keys(static_cast<std::size_t>(state.range(0)));
  DescriptorTable table;
  fill(table, kernel, keys);
  for (auto _ : state) {
    for (std::size_t i = 0; i < keys.names.size(); ++i) benchmark::DoNotOptimize(table.find(keys[i]));
  }
  per_entry(state);
}

/// Look-ups in random order: index, slot and name of each are cold once the table exceeds the caches.
void BM_find_shuffled(benchmark::State& state) {
  NullKernel kernel;
  kernel.keeps_closed = false;
  Keys keys(static_cast<std::size_t>(state.range(0)));
  DescriptorTable table;
  fill(table, kernel, keys);
  std::vector<std::string> wanted(keys.names.size());  // in the order of asking, so that the question is not cold
  for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = keys.names[keys.shuffled[i]];
  for (auto _ : state) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      benchmark::DoNotOptimize(table.find({wanted[i], static_cast<std::int32_t>(keys.shuffled[i] % 8)}));
    }
  }
  per_entry(state);
}

/// The floor: one dependent read after the other, in random order, over as much memory as such a table takes (about
/// 100 bytes an entry). Three of these are what a cold look-up may cost.
void BM_dependent_read(benchmark::State& state) {
  constexpr std::size_t kLine = 64;
  std::size_t lines = static_cast<std::size_t>(state.range(0)) * 100 / kLine;
  struct alignas(kLine) Line {
    std::uint32_t next;
  };
  std::vector<Line> memory(lines);
  Keys order(lines);
  for (std::size_t i = 0; i < lines; ++i) memory[order.shuffled[i]].next = order.shuffled[(i + 1) % lines];
  std::uint32_t at = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i) at = memory[at].next;
    benchmark::DoNotOptimize(at);
  }
  per_entry(state);
}

void BM_remove_and_save(benchmark::State& state) {
  NullKernel kernel;
  kernel.keeps_closed = false;
  Keys keys(static_cast<std::size_t>(state.range(0)));
  DescriptorTable table;
  fill(table, kernel, keys);
  for (auto _ : state) {
    for (std::size_t i = 0; i < keys.names.size(); ++i) {
      benchmark::DoNotOptimize(table.remove(keys[i]));
      benchmark::DoNotOptimize(table.save(keys[i], os::Fd(kernel, static_cast<int>(i))));
    }
  }
  per_entry(state);
}

/// Real eventfds on the Linux this runs on: one readlink each.
void BM_verify_kinds_of_real_eventfds(benchmark::State& state) {
  auto kernel = os::linux_kernel();
  DescriptorTable table;
  for (int vector = 0; vector < state.range(0); ++vector) {
    auto saved = table.save({"d_interrupt", vector}, os::Fd(*kernel, kernel->eventfd(0, 0).value_or(-1)));
    if (!saved) state.SkipWithError(saved.error().message().c_str());
  }
  for (auto _ : state) benchmark::DoNotOptimize(verify_kinds(*kernel, table));
  per_entry(state);
}

BENCHMARK(BM_save_and_close)->Arg(4)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_find_in_order)->Arg(4)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_find_shuffled)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_dependent_read)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_remove_and_save)->Arg(4)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_verify_kinds_of_real_eventfds)->Arg(100);

}  // namespace
}  // namespace vcpr::store
