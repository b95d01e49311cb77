#include "properties/sweeps/canonical.hpp"

#include <initializer_list>
#include <string_view>
#include <utility>

namespace vcpr::sweeps {

namespace {

using machine::DeviceModel;
using vm_scenario::Action;
using vm_scenario::Device;
using vm_scenario::Feature;
using vm_scenario::Scenario;
using whole_vm::Backend;
using whole_vm::Interrupt;

struct Mode {
  std::string_view name;
  Action action{};
  std::uint32_t options = 0;
};
constexpr Mode kTransfer{"transfer", Action::transfer, 0};
constexpr Mode kExec{"exec", Action::exec, 0};
constexpr Mode kReboot{"reboot", Action::reboot, 0};
constexpr Mode kPlain{"transfer-plain", Action::transfer, vm_scenario::kPlain};
constexpr Mode kStopFirst{"transfer-stop-first", Action::transfer, vm_scenario::kStopFirst};
constexpr Mode kPlainStopFirst{"transfer-plain-stop-first", Action::transfer, vm_scenario::kAllOptions};

/// What a host is like: its name, and what it changes.
struct Host {
  std::string_view name;
  std::uint16_t without = 0;
  std::uint32_t socket_buffer = Scenario().socket_buffer;
  std::uint32_t turns = 0;
  std::uint8_t noexec = 0;
};
constexpr std::uint16_t lacking(Feature feature) {
  return static_cast<std::uint16_t>(1u << static_cast<unsigned>(feature));
}
constexpr Host kUsual{};
constexpr Host kWithoutKvm{.name = "without-kvm", .without = lacking(Feature::kvm)};
constexpr Host kSharedEventfds{.name = "shared-eventfds", .without = lacking(Feature::exclusive_irqfds)};
constexpr Host kUnprivileged{.name = "unprivileged", .without = lacking(Feature::ipc_lock)};
constexpr Host kStaticMsix{.name = "static-msix", .without = lacking(Feature::dynamic_msix)};
constexpr Host kSmallSocket{.name = "small-socket", .socket_buffer = vm_scenario::kLeastSocketBuffer};
constexpr Host kNewFirst{.name = "new-first", .turns = 0xffffffff};
constexpr Host kNoexec{.name = "noexec", .noexec = 1};
// Blockers: refused before anything is touched
constexpr Host kNoVaddr{.name = "without-update-vaddr", .without = lacking(Feature::update_vaddr)};
constexpr Host kNoUnmapAll{.name = "without-unmap-all", .without = lacking(Feature::unmap_all)};
constexpr Host kNoDirty{.name = "without-dirty-tracking", .without = lacking(Feature::dirty_tracking)};
constexpr Host kNoChange{.name = "without-change-process", .without = lacking(Feature::change_process)};
constexpr Host kNoMapFile{.name = "without-map-file", .without = lacking(Feature::map_file)};

/// MSI-X takes an igb; an edu has the rest, and a DMA engine.
Device device(Backend backend, Interrupt kind) {
  const bool is_msix = kind == Interrupt::msix;
  return {.model = is_msix ? DeviceModel::igb : DeviceModel::edu,
          .backend = backend,
          .interrupt = kind,
          .vectors = static_cast<std::uint8_t>(is_msix ? 2 : 1)};
}

class List {
 public:
  void add(const Mode& mode, std::string name, const Host& host, std::vector<Device> devices) {
    Scenario scenario{.without = host.without,
                      .noexec = host.noexec,
                      .socket_buffer = host.socket_buffer,
                      .turns = host.turns,
                      .devices = std::move(devices)};
    if (mode.action == Action::reboot) scenario.steps.push_back({.action = Action::suspend});
    scenario.steps.push_back({.action = mode.action, .operand = mode.options});
    vm_scenario::normalise(scenario);
    name.insert(0, std::string(mode.name) + '.');
    if (!host.name.empty()) (name += '.') += host.name;
    all_.push_back({std::move(name), std::move(scenario)});
  }
  void add(const Mode& mode, Backend backend, Interrupt kind, const Host& host) {
    add(mode, std::string(vm_scenario::name(backend)) + '.' + std::string(vm_scenario::name(kind)), host,
        {device(backend, kind)});
  }
  std::vector<Canonical> take() { return std::move(all_); }

 private:
  std::vector<Canonical> all_;
};

constexpr auto kBackends = {Backend::legacy, Backend::iommufd};
constexpr auto kKinds = {Interrupt::intx, Interrupt::msi, Interrupt::msix};

void add_product(List& list, std::initializer_list<Mode> modes, std::initializer_list<Host> hosts) {
  for (const Mode& mode : modes) {
    for (const Backend backend : kBackends) {
      for (const Interrupt kind : kKinds) {
        for (const Host& host : hosts) list.add(mode, backend, kind, host);
      }
    }
  }
}

/// What one back end needs of the kernel.
void add_old_kernels(List& list) {
  for (const Mode& mode : {kTransfer, kExec}) {
    for (const Host& host : {kNoVaddr, kNoUnmapAll, kNoDirty}) list.add(mode, Backend::legacy, Interrupt::msi, host);
    for (const Host& host : {kNoChange, kNoMapFile}) list.add(mode, Backend::iommufd, Interrupt::msi, host);
    for (const Backend backend : kBackends) list.add(mode, backend, Interrupt::msix, kStaticMsix);
  }
}

void add_hosts(List& list) {
  for (const Backend backend : kBackends) {
    for (const Host& host : {kSmallSocket, kNewFirst}) list.add(kTransfer, backend, Interrupt::msi, host);
    for (const Mode& mode : {kTransfer, kExec}) {
      for (const Host& host : {kUnprivileged, kNoexec}) list.add(mode, backend, Interrupt::msi, host);
    }
  }
}

}  // namespace

std::vector<Canonical> canonical() {
  List list;
  add_product(list, {kTransfer, kPlain, kStopFirst, kPlainStopFirst, kExec, kReboot},
              {kUsual, kWithoutKvm, kSharedEventfds});
  add_old_kernels(list);
  add_hosts(list);
  for (const Mode& mode : {kTransfer, kExec, kReboot}) {
    list.add(mode, "both", kUsual,
             {device(Backend::legacy, Interrupt::intx), device(Backend::iommufd, Interrupt::msix)});
    list.add(mode, "two-legacy", kUsual,
             {device(Backend::legacy, Interrupt::intx), device(Backend::legacy, Interrupt::msix)});
    list.add(mode, "two-iommufd", kUsual,
             {device(Backend::iommufd, Interrupt::intx), device(Backend::iommufd, Interrupt::msix)});
  }
  return list.take();
}

}  // namespace vcpr::sweeps
