// The guest of a VM on the simulated machine: its vCPU, its drivers, what it has counted.
//
// It takes interrupts only while its vCPUs run. What it knows lives in the guest, so it crosses over with the VM: one
// Guest is shared by the processes that own the VM one after the other.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "engine/lifecycle/embedder.hpp"
#include "engine/vm/virtual_machine.hpp"
#include "properties/machine/machine.hpp"
#include "properties/whole_vm/shape.hpp"

namespace vcpr::whole_vm {

/// One process's vCPU threads. They remember between which calls of the machine they ran.
class GuestVcpus final : public lifecycle::Vcpus {
 public:
  static constexpr std::uint64_t kStillRunning = std::numeric_limits<std::uint64_t>::max();
  struct Run {
    std::uint64_t from = 0;
    std::uint64_t to = kStillRunning;
  };

  explicit GuestVcpus(const machine::Machine& machine) : machine_(machine) {}
  Expected<void> pause() override;
  Expected<void> resume() override;
  bool running() const { return !runs_.empty() && runs_.back().to == kStillRunning; }
  const std::vector<Run>& runs() const { return runs_; }
  /// When it was stopped last; the greatest number when it never was.
  std::uint64_t last_stop() const;
  /// The process died.
  void stop() { (void)pause(); }

 private:
  const machine::Machine& machine_;
  std::vector<Run> runs_;
};

/// One interrupt of the guest's drivers.
struct Line {
  std::uint32_t device = 0;  ///< N of vfioN
  std::uint32_t vector = 0;
  Interrupt kind{};
  std::uint8_t cpu_vector = 0;
  std::uint64_t raised = 0;   ///< by the device
  std::uint64_t handled = 0;  ///< by the guest
  std::uint64_t handled_since_raise = 0;
  bool is_masked = false;  ///< by the guest; what comes waits
  bool is_enabled = true;  ///< else the driver has turned it off, or its device is gone: what comes is lost
};

class Guest final : public kvm::InterruptSink {
 public:
  Guest(machine::Machine& machine, const Shape& shape);

  /// What firmware and drivers do at the start, through the VM: controllers on, BARs, interrupts.
  Expected<void> boot(vm::VirtualMachine& vm, machine::Process& process);
  /// The device raises it; a line that is up stays up. Nothing when it is turned off.
  void raise(std::size_t line);
  /// Takes, handles and ends interrupts until none is due. Nothing while its vCPUs do not run, or it holds them off, or
  /// is in the midst of one. True: it did something.
  bool run(vm::VirtualMachine& vm, machine::Process& process, const GuestVcpus& vcpus);
  const std::vector<Line>& lines() const { return lines_; }
  /// An interrupt came again and again, however often it was handled.
  bool met_a_storm() const { return met_a_storm_; }

  // Steps of a guest whose vCPUs run
  void hold() { holds_ = true; }
  void release() { holds_ = false; }
  /// Takes the next interrupt, if one is due and it is in none; and, later, handles and ends it.
  void take(vm::VirtualMachine& vm, machine::Process& process);
  void end(vm::VirtualMachine& vm, machine::Process& process);
  /// The mask bit of an MSI-X vector, or of a pin in the IOAPIC; MSI has none, and nothing happens.
  Expected<void> mask(vm::VirtualMachine& vm, machine::Process& process, std::size_t line, bool masked);
  /// The driver turns a device's interrupts off, or on again; a device that was plugged is set up first.
  Expected<void> disable(vm::VirtualMachine& vm, std::uint32_t device);
  Expected<void> enable(vm::VirtualMachine& vm, std::uint32_t device, bool is_new);
  bool is_on(std::uint32_t device) const { return lines_[first_line(device)].is_enabled; }
  /// After a reboot: every driver sets its device up again, and what waited is forgotten.
  void start_over(vm::VirtualMachine& vm);
  /// A device is gone.
  void forget(std::uint32_t device);

  // Without KVM
  Expected<void> send_message(const kvm::MsiMessage& message) override;
  Expected<void> set_line(std::uint32_t gsi, bool up) override;

 private:
  Expected<void> boot_controllers(vm::VirtualMachine& vm, machine::Process& process);
  Expected<void> set_up(vfio::PciDevice& device, std::uint32_t number);
  Expected<void> turn_on(vfio::PciDevice& device, std::uint32_t number);
  std::size_t first_line(std::uint32_t device) const;
  int next_interrupt(vm::VirtualMachine& vm, machine::Process& process);
  void handle(Line& line);
  /// Drivers read their devices, which a VMM that delivers the pin by hand sees where it has not mapped them.
  void look(vm::VirtualMachine& vm);

  machine::Machine& machine_;
  const Shape& shape_;
  std::vector<Line> lines_;
  bool holds_ = false;
  bool met_a_storm_ = false;
  int in_service_ = -1;                 ///< the vector it took and has not ended
  std::set<std::uint32_t> to_look_at_;  ///< devices
  std::set<std::uint8_t> requested_;    ///< without KVM: what user space delivered
  std::set<std::uint32_t> gsis_up_;
};

}  // namespace vcpr::whole_vm
