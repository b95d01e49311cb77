// What a VM, its kernel objects and its processes look like at one moment between two calls.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "properties/machine/truth.hpp"
#include "properties/whole_vm/rig.hpp"

namespace vcpr::whole_vm {

/// An entry of the descriptor table.
struct TableFact {
  machine::FileFact file{};
  bool is_watched = false;  ///< by the owner's main loop
};

struct Facts {
  std::uint64_t call = 0;  ///< of the machine, at that moment
  // Kernel
  std::vector<machine::MappingFact> mappings{};
  std::vector<machine::TriggerFact> triggers{};
  std::vector<machine::IrqfdFact> irqfds{};
  std::vector<machine::DeviceFact> devices{};
  std::vector<machine::GroupFact> groups{};
  std::vector<machine::PageTableFact> page_tables{};
  // The owner's process
  std::uint32_t descriptors = 0;
  std::uint64_t locked_pages = 0;
  std::uint64_t pinned_pages = 0;
  std::vector<std::pair<std::string, std::string>> environment{};
  std::map<std::pair<std::string, std::int32_t>, TableFact> table{};  ///< by key
  // The owner's VM
  lifecycle::RunState run_state{};
  bool incoming = false;
  std::size_t blockers = 0;
  std::size_t participants = 0;
  std::vector<std::vector<std::uint32_t>> config{};  ///< header, MSI, MSI-X: words, as the guest reads them
  std::vector<std::vector<std::byte>> msix_table{};  ///< of devices that have one
  std::vector<std::vector<std::byte>> pending{};     ///< the MSI-X pending bits
  std::vector<std::uint64_t> ram{};                  ///< Truth::contents_hash of each block
};

/// Of the VM of `owner`, whose process is alive. Makes no call that changes anything.
Facts take_facts(Rig& rig, Owner& owner);

}  // namespace vcpr::whole_vm
