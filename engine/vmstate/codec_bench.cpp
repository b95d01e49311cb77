// What one entry of a CPR-like list costs in the codec alone, without a table behind it.
#include <benchmark/benchmark.h>

#include "engine/vmstate/codec.hpp"

namespace vcpr::vmstate {
namespace {

struct Entry {
  std::string_view name;
  std::int32_t id = 0;
  Descriptor fd;
};
constexpr Field kEntryFields[] = {counted_name<&Entry::name>("name", 1023), field<&Entry::id>("id"),
                                  descriptor<&Entry::fd>("fd")};
constexpr auto kEntry = describe<Entry>("entry", 1, kEntryFields);

/// Counts what it is given, and gives the same entry again and again.
struct Counter {
  std::uint64_t entries = 0;
};
struct CounterOperations {
  static std::uint64_t size(const Counter& counter) { return counter.entries; }
  static Entry at(const Counter&, std::uint64_t) {
    return {.name = "0000:3a:00.1_interrupt", .id = 7, .fd = {.received = {}, .number = 12}};
  }
  static Expected<void> append(Counter& counter, Entry&&) {
    ++counter.entries;
    return {};
  }
};
struct State {
  Counter list;
};
constexpr Field kStateFields[] = {list<&State::list, CounterOperations>("fds", kEntry, 1u << 20)};
constexpr auto kState = describe<State>("state", 1, kStateFields);

wire::Outbox saved(std::uint64_t entries) {
  wire::Outbox out;
  wire::Writer writer(out);
  (void)save(kState, State{{entries}}, writer, {.descriptors = DescriptorEncoding::number});
  return out;
}

void save_list(benchmark::State& run) {
  auto entries = static_cast<std::uint64_t>(run.range(0));
  for (auto _ : run) benchmark::DoNotOptimize(saved(entries).bytes.data());
  run.SetItemsProcessed(run.iterations() * run.range(0));
}
BENCHMARK(save_list)->RangeMultiplier(10)->Range(10, 10000);

void load_list(benchmark::State& run) {
  wire::Outbox stream = saved(static_cast<std::uint64_t>(run.range(0)));
  for (auto _ : run) {
    wire::Reader in(stream.bytes);
    State state;
    bool good = load(kState, 1, state, in, {.descriptors = DescriptorEncoding::number}).has_value();
    benchmark::DoNotOptimize(good);
  }
  run.SetItemsProcessed(run.iterations() * run.range(0));
}
BENCHMARK(load_list)->RangeMultiplier(10)->Range(10, 10000);

}  // namespace
}  // namespace vcpr::vmstate
