// A PCI function as its driver sees it: config space, registers, interrupts on their way out.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "properties/machine/machine.hpp"
#include "properties/machine/pci/model.hpp"

namespace vcpr::machine {

class Memory;
enum class InterruptStage : std::uint8_t;
struct Description;
struct VfioDevice;

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

/// Lives in the arena as long as the machine. Models derive from it and have the registers.
struct PciFunction {
  PciFunction(Machine::Impl& of, const PciModel& what);

  /// An access of 1, 2, 4 or 8 bytes, aligned, within a BAR that has registers.
  virtual std::uint64_t read_register(std::uint32_t bar, std::uint64_t offset, std::uint32_t bytes) = 0;
  virtual void write_register(std::uint32_t bar, std::uint64_t offset, std::uint64_t value, std::uint32_t bytes) = 0;
  /// What a function reset does to the registers; the line is low afterwards.
  virtual void reset_registers() = 0;
  /// `due` has come.
  virtual void timer() {}

  /// Command register bits as the hardware has them.
  bool decodes_memory() const;
  bool is_bus_master() const;

  Machine::Impl& machine;
  const PciModel& model;
  VfioDevice* device = nullptr;   ///< what VFIO makes of it
  std::byte* config;              ///< as VFIO shows it, model.config_bytes()
  bool line = false;              ///< the INTx level the function wants
  bool line_disabled = false;     ///< DisINTx of the hardware; the one in `config` is the guest's
  std::uint64_t line_serial = 0;  ///< of the interrupt that raised the line
  std::uint64_t* pending;         ///< by vector: serial of what waits while it is masked; 0: nothing
  bool* guest_masked;             ///< by vector: the guest's driver has set its mask bit
  Memory* bars[kBars] = {};       ///< made at the first mmap; holds what no register is behind
  std::uint64_t due = kNever;     ///< nanoseconds of the machine's time: timer()

 protected:
  ~PciFunction() = default;
};

/// One function of the model, with its registers as after power-on.
PciFunction& make_function(Machine::Impl& machine, const Plugged& plugged);

/// Message `vector` leaves the function: it is delivered, kept pending behind a mask, or lost.
void raise_message(PciFunction& function, std::uint32_t vector);
/// Message `vector` of a function that says so while its MSI-X is off: QEMU's igb keeps it pending.
void keep_message(PciFunction& function, std::uint32_t vector);
/// The INTx line; a rise is a new interrupt.
void set_line(PciFunction& function, bool level);
/// A step of the interrupt that the line is up for.
void record_line(PciFunction& function, InterruptStage stage, const Description* eventfd);
/// Sends what was pending behind masks that are gone, and the line if it is up and open.
void flush_interrupts(PciFunction& function);
/// What waited for a trigger of MSI is lost.
void drop_held_message(PciFunction& function);
/// FLR: registers as after power-on, nothing pending; config space, triggers and masks stay (pci_reset_function
/// saves and restores them).
void reset_function(PciFunction& function);

// pci/timers.cpp
/// Sets `due` and remembers it for the machine.
void start_timer(PciFunction& function, std::uint64_t nanoseconds);
/// Runs the timers that are due by now, in order of their time.
void run_timers(Machine::Impl& machine);

}  // namespace vcpr::machine
