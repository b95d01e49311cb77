// What it costs to hand a whole VM over on the simulated machine, engine and machine together: one transfer between two
// processes, from the first call of the old side to the guest that runs in the new one. Beside it a floor: the same
// transfer of a VM without devices.
#include <algorithm>
#include <benchmark/benchmark.h>

#include "engine/handover/guest_testing.hpp"

namespace vcpr::handover {
namespace {

constexpr std::uint64_t kPage = 4096;

struct Size {
  std::uint32_t devices = 0;
  std::uint32_t vectors = 0;   ///< of each, MSI-X
  std::uint32_t mappings = 1;  ///< of the container, all of one block
  std::uint32_t blocks = 1;    ///< of RAM, a mapping each
};

/// Where the mappings lie, a page of the first block each.
constexpr std::uint64_t kMappings = 1ULL << 32;

/// What the host's CPUs can take: KVM's table is full before.
constexpr std::uint32_t kHostVectors = 4096;
constexpr std::uint32_t kIgbVectors = 10;

/// A bus has 32 devices.
std::string address_of(std::uint32_t bus, std::uint32_t device) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  bus += device / 32;
  device %= 32;
  std::string text = "0000:00:00.0";
  text[6] = kDigits[bus];
  text[8] = kDigits[device / 16];
  text[9] = kDigits[device % 16];
  return text;
}
std::string host_address(std::uint32_t device) {
  return address_of(0, device + 1);
}

vm::Config config_of(const Size& size) {
  vm::Config config;
  config.ram.push_back({.name = "ram0", .size = kPage * size.mappings, .address = 0});
  for (std::uint32_t block = 1; block < size.blocks; ++block) {
    config.ram.push_back({.name = "ram" + std::to_string(block), .size = kPage, .address = 2 * kPage * block});
  }
  for (std::uint32_t number = 0; number < size.devices; ++number) {
    vm::PciConfig device;
    device.device.name = host_address(number);
    device.device.group = number + 1;
    device.options.path = address_of(1, number);
    config.devices.push_back(device);
  }
  return config;
}

/// All but the one that the block itself is.
bool add_mappings(vm::VirtualMachine& vm, const Size& size) {
  memory::RamBlock* block = vm.ram().find("ram0");
  bool good = block != nullptr;
  for (std::uint64_t page = 1; good && page < size.mappings; ++page) {
    const std::uint64_t address = kMappings + 2 * kPage * page;
    good = vm.address_map()
               .add({.address = address, .size = kPage, .block = block, .offset = kPage * page, .bar = {}})
               .has_value();
  }
  return good;
}

/// A machine whose devices the guest of an old VM uses, ready to be handed over.
struct Ready {
  explicit Ready(const Size& size) {
    const bool few = size.vectors <= kIgbVectors;
    for (std::uint32_t number = 0; number < size.devices; ++number) {
      machine.plug({.model = few ? machine::DeviceModel::igb : machine::DeviceModel::many_vectors,
                    .group = number + 1,
                    .address = host_address(number),
                    .vectors = size.vectors});
    }
    config = config_of(size);
    old_side.process->set_memlock(0, true);
    new_side.process->set_memlock(0, true);
    good = old_side.build(config).has_value() && add_mappings(*old_side.vm, size) && old_side.vm->start().has_value();
    for (std::uint32_t number = 0; number < size.devices; ++number) good = good && use(number, size.vectors);
  }
  bool use(std::uint32_t number, std::uint32_t vectors) {
    vfio::PciDevice& device = *old_side.vm->device(host_address(number));
    const auto& msix = *device.config().msix();
    bool done = device.write_config(vfio::pci::kCommand, vfio::pci::kCommandMemory, 2).has_value();
    for (std::uint32_t vector = 0; done && vector < vectors; ++vector) {
      const std::array<std::uint32_t, 4> entry = {0xfee00000, 0, 0x40 + vector, 0};
      done = device.write_bar(msix.table_bar, msix.table_offset + 16ULL * vector, std::as_bytes(std::span(entry)))
                 .has_value();
    }
    return done && device.write_config(msix.offset + 2, vfio::pci::kMsixEnable, 2);
  }

  machine::Machine machine{{.descriptor_limit = 16384, .message_vectors = kHostVectors}};
  Side old_side{machine.spawn()};
  Side new_side{machine.spawn()};
  vm::Config config;
  bool good = false;
};

/// One transfer; empty: it succeeded. `begin` and `end` are called around it.
template <class Begin, class End>
std::string hand_over_once(const Size& size, Begin begin, End end) {
  auto ready = std::make_unique<Ready>(size);
  if (!ready->good) return "the old VM was not made";
  Pair pair(ready->machine, ready->old_side, ready->new_side, ready->config);
  bool mapped = true;
  pair.on_built = [&](vm::VirtualMachine& vm) { mapped = add_mappings(vm, size); };
  begin(ready->machine);
  pair.begin();
  bool ended = pair.finish();
  end(ready->machine);
  std::string why = ended && mapped && pair.new_end.done ? "" : "failed: " + pair.new_end.text();
  pair.drop_source();
  pair.drop_target();
  return why;
}

/// How often a transfer tells KVM the whole routing table.
struct RouteTables final : machine::Listener {
  void called(const machine::CallRecord& record) override {
    bool is_ioctl = record.site.call == machine::Call::ioctl && record.arguments.size() > 1;
    if (is_ioctl && record.arguments[1] == os::abi::request::kvm_set_gsi_routing) ++count;
  }
  int count = 0;
};

void hand_over(benchmark::State& state, const Size& size) {
  RouteTables tables;
  std::string why = hand_over_once(
      size, [&](machine::Machine& machine) { machine.set_listener(&tables); },
      [](machine::Machine& machine) { machine.set_listener(nullptr); });
  for (auto _ : state) {
    state.PauseTiming();
    auto begin = [&](machine::Machine&) { state.ResumeTiming(); };
    auto end = [&](machine::Machine&) { state.PauseTiming(); };
    if (why.empty()) why = hand_over_once(size, begin, end);
    if (!why.empty()) return state.SkipWithError(why.c_str());
    state.ResumeTiming();
  }
  const auto kRate = benchmark::Counter::kIsRate | benchmark::Counter::kInvert;
  double runs = static_cast<double>(state.iterations());
  if (size.devices != 0) state.counters["route_tables"] = tables.count;
  if (size.vectors > 1) state.counters["per_vector"] = benchmark::Counter(runs * size.devices * size.vectors, kRate);
  const auto mappings = std::max(size.mappings, size.blocks);
  if (mappings > 1) state.counters["per_mapping"] = benchmark::Counter(runs * mappings, kRate);
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
void BM_ram_blocks(benchmark::State& state) {
  hand_over(state, {.devices = 1, .vectors = 1, .blocks = static_cast<std::uint32_t>(state.range(0))});
}

BENCHMARK(BM_floor_without_devices);
BENCHMARK(BM_devices_by_vectors)
    ->Args({1, 1})
    ->Args({2, 8})
    ->Args({8, 8})
    ->Args({1, 64})
    ->Args({1, 2048})
    ->Args({8, 256})
    ->Args({64, 32});
BENCHMARK(BM_mappings)->Arg(1)->Arg(64)->Arg(1024)->Arg(4096);
BENCHMARK(BM_ram_blocks)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace vcpr::handover
