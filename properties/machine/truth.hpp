// What the machine knows and no process could ask for: who holds what, and everything that ever happened to it.
//
// A read-only view for invariants and tools. Views and spans live as long as the machine; lists are made when asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "properties/machine/machine.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/wiring.hpp"

namespace vcpr::machine {

/// One open file description, open or long closed.
struct DescriptionFact {
  std::uint32_t id = 0;  ///< 1, 2, ... in the order they were made
  FileKind kind{};
  Device device{};
  std::string link;              ///< what /proc/self/fd/N says or said; sockets by inode
  std::uint32_t references = 0;  ///< descriptors and messages in flight; 0: closed
  std::uint64_t opened_at = 0;   ///< number of the call
  std::uint64_t closed_at = kStillOpen;
  int status_flags = 0;
  std::uint64_t offset = 0;
  std::uint64_t counter = 0;  ///< of an eventfd
  bool semaphore = false;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  ///< of an open memfd or file
  std::uint32_t seals = 0;
  bool is_open() const { return references != 0; }
};

/// One reference to a description.
struct Holder {
  Process* process = nullptr;  ///< whose descriptor; null: in flight
  int number = -1;             ///< of the descriptor
  bool close_on_exec = false;
  std::uint32_t queued_at_socket = 0;  ///< in flight: description of the socket it waits at; 0: one not yet accepted
};

struct DescriptorFact {
  int number = -1;
  std::uint32_t description = 0;
  bool close_on_exec = false;
};

/// What a descriptor and the description behind it are like now.
struct FileFact {
  std::uint32_t description = 0;  ///< 0: it is not open
  bool close_on_exec = false;
  int status_flags = 0;
  std::uint64_t offset = 0;
};

class Truth {
 public:
  explicit Truth(const Machine& machine) : machine_(machine.impl()) {}

  // Cheap: for checks after every call
  std::uint32_t descriptions_made() const { return machine_.description_count; }
  std::uint32_t descriptions_open() const { return machine_.open_descriptions; }
  std::uint32_t descriptors_in_flight() const { return machine_.in_flight; }
  std::uint32_t descriptors_open(Process& process) const { return state_of(process).table.open(); }
  /// The description behind a number; 0 when it is not open.
  std::uint32_t description_of(Process& process, int number) const;
  FileFact file_of(Process& process, int number) const;
  std::uint32_t calls_of(Process& process, Call call) const {
    return state_of(process).calls_of[static_cast<std::size_t>(call)];
  }
  const Log<BadDescriptor>& bad_descriptors() const { return machine_.bad_descriptors; }
  const Log<Closing>& closings() const { return machine_.closings; }
  const Log<WouldBlock>& would_block() const { return machine_.would_block; }
  const Log<Signal>& signals() const { return machine_.signals; }
  const Log<FaultMet>& faults() const { return machine_.faults; }
  const Log<IovaChange>& iova_changes() const { return machine_.iova_changes; }
  const Log<DmaAccess>& dma() const { return machine_.dma; }
  const Log<InterruptFact>& interrupts() const { return machine_.interrupts; }
  const Log<DeviceChange>& device_changes() const { return machine_.device_changes; }
  const Log<Injection>& injections() const { return machine_.injections; }
  const Log<Delivery>& deliveries() const { return machine_.deliveries; }
  /// Irqfds beyond the first of their eventfd.
  std::uint32_t irqfds_too_many() const { return machine_.irqfds_too_many; }
  /// Of a VM that this process made.
  bool has_irqfds(const Process& process) const { return machine::has_irqfds(machine_, process); }
  /// type1: some mapping's vaddr is invalid.
  bool has_invalid_vaddrs() const { return machine::has_invalid_vaddrs(machine_); }
  /// Closes of a number that was not open: double closes.
  std::uint64_t bad_closes() const;

  // What is wired to what now: see wiring.hpp
  std::vector<MappingFact> mappings() const { return machine::mappings(machine_); }
  std::vector<TriggerFact> triggers() const { return machine::triggers(machine_); }
  std::vector<IrqfdFact> irqfds() const { return machine::irqfds(machine_); }
  std::vector<DeviceFact> devices() const { return machine::devices(machine_); }
  std::vector<GroupFact> groups() const { return machine::groups(machine_); }
  std::vector<PageTableFact> page_tables() const { return machine::page_tables(machine_); }

  std::vector<Process*> processes() const;
  /// Every one ever made, by id.
  std::vector<DescriptionFact> descriptions() const;
  /// `id` must be of a description that was made.
  DescriptionFact description(std::uint32_t id) const;
  std::vector<Holder> holders(std::uint32_t id) const;
  /// By ascending number; empty for a dead process.
  std::vector<DescriptorFact> descriptors(Process& process) const;
  /// In the order they were first set.
  std::vector<std::pair<std::string, std::string>> environment(Process& process) const;
  /// Contents of an open memfd or file; empty otherwise.
  std::vector<std::byte> contents(std::uint32_t id, std::uint64_t offset, std::size_t bytes) const;
  /// A hash over what an open memfd or file reads like from 0 to `bytes`, whole pages: holes are zeros.
  std::uint64_t contents_hash(std::uint32_t id, std::uint64_t bytes) const;
  /// Sums of every signal written to and read from an eventfd.
  std::uint64_t signals_written(std::uint32_t id) const;
  std::uint64_t signals_read(std::uint32_t id) const;

 private:
  const Description& find(std::uint32_t id) const;

  const Machine::Impl& machine_;
};

}  // namespace vcpr::machine
