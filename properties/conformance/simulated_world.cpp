#include <array>

#include "properties/conformance/case.hpp"
#include "properties/conformance/world.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::conformance {

namespace {

class SimulatedWorld final : public World {
 public:
  SimulatedWorld(machine::Machine& machine, machine::Process& process) : machine_(machine), process_(process) {}

  os::Kernel& kernel() override { return process_.kernel(); }
  bool has(Feature) override { return true; }
  bool load(os::UserAddr address, std::span<std::byte> bytes) override { return process_.load(address, bytes); }
  bool store(os::UserAddr address, std::span<const std::byte> bytes) override { return process_.store(address, bytes); }
  void set_descriptor_limit(std::uint32_t limit) override { process_.set_descriptor_limit(limit); }
  void drop_privileges() override { process_.set_privileged(false); }
  std::string path(std::string_view leaf) override { return "/run/conformance/" + std::string(leaf); }

  void in_child(const std::function<void(World&, Report&)>& body, Report& report) override {
    SimulatedWorld child(machine_, machine_.fork(process_));
    body(child, report);
    child.process_.kill();
  }

  void run_with_exec(const Case& each, Report& report) override {
    SimulatedWorld child(machine_, machine_.fork(process_));
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
  machine::Machine& machine_;
  machine::Process& process_;
};

/// A machine of its own with one process.
class OwnWorld final : public World {
 public:
  explicit OwnWorld(const machine::Switches& switches) : machine_(switches), inner_(machine_, machine_.spawn()) {}

  os::Kernel& kernel() override { return inner_.kernel(); }
  bool has(Feature feature) override { return inner_.has(feature); }
  bool load(os::UserAddr address, std::span<std::byte> bytes) override { return inner_.load(address, bytes); }
  bool store(os::UserAddr address, std::span<const std::byte> bytes) override { return inner_.store(address, bytes); }
  void set_descriptor_limit(std::uint32_t limit) override { inner_.set_descriptor_limit(limit); }
  void drop_privileges() override { inner_.drop_privileges(); }
  std::string path(std::string_view leaf) override { return inner_.path(leaf); }
  void in_child(const std::function<void(World&, Report&)>& body, Report& report) override {
    inner_.in_child(body, report);
  }
  void run_with_exec(const Case& each, Report& report) override { inner_.run_with_exec(each, report); }
  void fill_numbers_below(int first) override { inner_.fill_numbers_below(first); }

 private:
  machine::Machine machine_;
  SimulatedWorld inner_;
};

}  // namespace

std::unique_ptr<World> simulated_world(bool privileged) {
  machine::Switches switches;
  switches.privileged = privileged;
  return std::make_unique<OwnWorld>(switches);
}

}  // namespace vcpr::conformance
