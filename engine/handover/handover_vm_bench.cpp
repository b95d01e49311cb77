// What it costs to hand a whole VM over on the simulated machine, engine and machine together: one transfer between two
// processes, from the first call of the old side to the guest that runs in the new one. Beside it a floor: the same
// transfer of a VM without devices.
#include <benchmark/benchmark.h>

#include "engine/handover/guest_testing.hpp"

namespace vcpr::handover {
namespace {

constexpr std::uint64_t kPage = 4096;

struct Size {
  std::uint32_t devices = 0;
  std::uint32_t vectors = 0;   ///< of each, MSI-X; the igb has ten
  std::uint32_t mappings = 1;  ///< RAM blocks apart from each other
};

std::string address_of(std::uint32_t device) {
  return "0000:00:0" + std::to_string(device + 1) + ".0";
}

vm::Config config_of(const Size& size) {
  vm::Config config;
  for (std::uint32_t block = 0; block < size.mappings; ++block) {
    config.ram.push_back({.name = "ram" + std::to_string(block), .size = kPage, .address = 2 * kPage * block});
  }
  for (std::uint32_t number = 0; number < size.devices; ++number) {
    vm::PciConfig device;
    device.device.name = address_of(number);
    device.device.group = number + 1;
    device.options.path = "0000:01:0" + std::to_string(number) + ".0";
    config.devices.push_back(device);
  }
  return config;
}

/// A machine whose devices the guest of an old VM uses, ready to be handed over.
struct Ready {
  explicit Ready(const Size& size) {
    for (std::uint32_t number = 0; number < size.devices; ++number) {
      machine.plug({machine::DeviceModel::igb, number + 1, address_of(number)});
    }
    config = config_of(size);
    good = old_side.build(config).has_value() && old_side.vm->start().has_value();
    for (std::uint32_t number = 0; number < size.devices; ++number) good = good && use(number, size.vectors);
  }
  bool use(std::uint32_t number, std::uint32_t vectors) {
    vfio::PciDevice& device = *old_side.vm->device(address_of(number));
    const auto& msix = *device.config().msix();
    bool done = device.write_config(vfio::pci::kCommand, vfio::pci::kCommandMemory, 2) &&
                device.write_config(msix.offset + 2, vfio::pci::kMsixEnable, 2);
    for (std::uint32_t vector = 0; done && vector < vectors; ++vector) {
      const std::array<std::uint32_t, 4> entry = {0xfee00000, 0, 0x40 + vector, 0};
      done = device.write_bar(msix.table_bar, msix.table_offset + 16ULL * vector, std::as_bytes(std::span(entry)))
                 .has_value();
    }
    return done;
  }

  machine::Machine machine{{.descriptor_limit = 16384}};
  Side old_side{machine.spawn()};
  Side new_side{machine.spawn()};
  vm::Config config;
  bool good = false;
};

void hand_over(benchmark::State& state, const Size& size) {
  for (auto _ : state) {
    state.PauseTiming();
    auto ready = std::make_unique<Ready>(size);
    Pair pair(ready->machine, ready->old_side, ready->new_side, ready->config);
    state.ResumeTiming();
    if (!ready->good) return state.SkipWithError("the old VM was not made");
    pair.begin();
    bool ended = pair.finish();
    if (!ended || !pair.new_end.done) return state.SkipWithError(pair.new_end.text().c_str());
    state.PauseTiming();
    pair.drop_source();
    pair.drop_target();
    ready.reset();
    state.ResumeTiming();
  }
  const auto kRate = benchmark::Counter::kIsRate | benchmark::Counter::kInvert;
  double runs = static_cast<double>(state.iterations());
  if (size.vectors != 0) state.counters["per_vector"] = benchmark::Counter(runs * size.devices * size.vectors, kRate);
  if (size.mappings > 1) state.counters["per_mapping"] = benchmark::Counter(runs * size.mappings, kRate);
}

void BM_floor_without_devices(benchmark::State& state) {
  hand_over(state, {});
}
void BM_devices_by_vectors(benchmark::State& state) {
  hand_over(state, {.devices = static_cast<std::uint32_t>(state.range(0)),
                    .vectors = static_cast<std::uint32_t>(state.range(1))});
}
void BM_mappings(benchmark::State& state) {
  hand_over(state, {.devices = 1, .vectors = 1, .mappings = static_cast<std::uint32_t>(state.range(0))});
}

BENCHMARK(BM_floor_without_devices);
BENCHMARK(BM_devices_by_vectors)->Args({1, 1})->Args({1, 8})->Args({2, 8})->Args({8, 8})->Args({8, 10});
BENCHMARK(BM_mappings)->Arg(1)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace vcpr::handover
