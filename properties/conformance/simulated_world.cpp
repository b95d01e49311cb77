#include <array>
#include <memory>
#include <utility>

#include "properties/conformance/case.hpp"
#include "properties/conformance/world.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::conformance {

namespace {

/// Those of the host that ci/real-kernel boots.
constexpr std::array kDevices{machine::Plugged{machine::DeviceModel::edu, 1, "0000:00:05.0"},
                              machine::Plugged{machine::DeviceModel::edu, 2, "0000:00:06.0"},
                              machine::Plugged{machine::DeviceModel::igb, 3, "0000:00:07.0"}};

class SimulatedWorld final : public World {
 public:
  SimulatedWorld(std::shared_ptr<machine::Machine> machine, machine::Process& process)
      : machine_(std::move(machine)), process_(process) {}

  os::Kernel& kernel() override { return process_.kernel(); }
  bool has(Feature) override { return true; }
  bool load(os::UserAddr address, std::span<std::byte> bytes) override { return process_.load(address, bytes); }
  bool store(os::UserAddr address, std::span<const std::byte> bytes) override { return process_.store(address, bytes); }
  void set_descriptor_limit(std::uint32_t limit) override { process_.set_descriptor_limit(limit); }
  void drop_privileges() override { process_.set_privileged(false); }
  void set_memlock(std::uint64_t limit, bool ipc_lock) override { process_.set_memlock(limit, ipc_lock); }
  std::uint64_t locked_kib() override { return process_.locked_pages() * 4; }
  std::uint64_t pinned_kib() override { return process_.pinned_pages() * 4; }
  void set_dma_entry_limit(std::uint32_t limit) override { machine_->set_dma_entry_limit(limit); }
  HostDevice device(machine::DeviceModel model, unsigned index) override {
    const unsigned which = model == machine::DeviceModel::igb ? 2 : index;
    return {std::string(kDevices[which].address), "/dev/vfio/" + std::to_string(kDevices[which].group),
            "/dev/vfio/devices/vfio" + std::to_string(which)};
  }
  std::string path(std::string_view leaf) override { return "/run/conformance/" + std::string(leaf); }

  void in_child(const std::function<void(World&, Report&)>& body, Report& report) override {
    SimulatedWorld child(machine_, machine_->fork(process_));
    body(child, report);
    child.process_.kill();
  }

  void run_with_exec(const Case& each, Report& report) override {
    SimulatedWorld child(machine_, machine_->fork(process_));
    each.run(child, report);
    const std::array<const char*, 1> arguments{"image"};
    report.expect("execve", child.kernel().execve("/image", arguments), fails(os::Errno::gone));
    each.after_exec(child, report);
    child.process_.kill();
  }

  void fill_numbers_below(int first) override {
    for (int number = 0; number < first; ++number) {
      machine::Described filler;
      filler.kind = machine::FileKind::anonymous;
      filler.number = number;
      (void)process_.install(filler);
    }
  }

 private:
  std::shared_ptr<machine::Machine> machine_;  // shared with the worlds of children
  machine::Process& process_;
};

}  // namespace

std::unique_ptr<World> simulated_world(bool privileged, bool large_memfd_writes) {
  machine::Switches switches;
  switches.privileged = privileged;
  if (!large_memfd_writes) switches.memfd_write_bytes = 4096;
  auto machine = std::make_shared<machine::Machine>(switches);
  for (const machine::Plugged& device : kDevices) machine->plug(device);
  machine::Process& process = machine->spawn();
  return std::make_unique<SimulatedWorld>(std::move(machine), process);
}

}  // namespace vcpr::conformance
