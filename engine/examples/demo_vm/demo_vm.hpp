// The VM of the demo: the engine's, with a vCPU, a guest in its memory, and devices that the guest has set up.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "engine/examples/demo_vm/bars.hpp"
#include "engine/examples/demo_vm/cpu_state.hpp"
#include "engine/examples/demo_vm/options.hpp"
#include "engine/examples/demo_vm/steps.hpp"
#include "engine/examples/demo_vm/vcpu.hpp"
#include "engine/vm/virtual_machine.hpp"

namespace vcpr::demo {

class DemoVm final : private lifecycle::Participant,
                     private lifecycle::Vcpus,
                     private vfio::DeviceEvents,
                     private kvm::InterruptSink {
 public:
  /// Fresh: the guest is loaded, its devices are set up, nothing runs yet. From an arrival: nothing is touched.
  static Expected<std::unique_ptr<DemoVm>> create(os::Kernel& kernel, lifecycle::EventLoop& loop,
                                                  const Options& options, Steps& steps,
                                                  std::optional<vm::Arrival> arrival);
  ~DemoVm() override;
  DemoVm(const DemoVm&) = delete;
  DemoVm& operator=(const DemoVm&) = delete;

  vm::VirtualMachine& vm() { return *vm_; }
  /// Guest physical 0 and up.
  std::span<std::byte> memory();
  std::uint32_t counter(std::uint32_t vector);
  /// Cycles of the guest's TSC a millisecond; 0 without KVM. KVM tells only while the vCPU does not run.
  std::uint64_t tsc_khz() const { return tsc_khz_; }
  /// What went wrong in the vCPU's thread or with a device.
  std::optional<std::string> trouble();

 private:
  DemoVm(os::Kernel& kernel, lifecycle::EventLoop& loop, const Options& options, Steps& steps);
  Expected<void> build(std::optional<vm::Arrival> arrival);
  Expected<void> set_up_guest();

  // The vCPU's part in a handover
  std::string what() const override { return "vCPU"; }
  Expected<void> let_go(lifecycle::Mode mode) override;
  Expected<void> take_over() override;
  void done() override { vcpu_.detach(); }

  Expected<void> pause() override;
  Expected<void> resume() override;

  void device_error(const std::string& device) override { event_ = "error of device " + device; }
  void unplug_requested(const std::string& device) override { event_ = "the host wants device " + device; }

  // Without KVM the counters are all there is of the guest.
  Expected<void> send_message(const kvm::MsiMessage& message) override;
  Expected<void> set_line(std::uint32_t gsi, bool up) override;
  void count(std::uint32_t vector);

  os::Kernel& kernel_;
  const Options& options_;
  Steps& steps_;
  Outermost outermost_;
  Vcpu vcpu_;
  std::uint64_t tsc_khz_ = 0;
  Bars bars_;
  CpuState cpu_;
  std::optional<std::string> event_;
  vm::Embedder embedder_;
  std::unique_ptr<vm::VirtualMachine> vm_;
};

}  // namespace vcpr::demo
