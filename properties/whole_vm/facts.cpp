#include "properties/whole_vm/facts.hpp"

#include <array>
#include <utility>

#include "engine/vfio/pci_registers.hpp"
#include "properties/whole_vm/driver.hpp"

namespace vcpr::whole_vm {

namespace {

constexpr std::uint32_t kHeaderWords = 16;  // of a configuration space
constexpr std::uint32_t kMsiWords = 6;
constexpr std::uint32_t kMsixWords = 3;
constexpr std::uint32_t kStatusWord = 1;
constexpr std::uint32_t kInterruptStatus = 1u << 19;  // whether the device wants its pin now

void add_table(Facts& facts, const machine::Truth& truth, Owner& owner) {
  for (const store::Entry& entry : owner.vm->life().cpr.descriptors)
    facts.table.emplace(std::pair(std::string(entry.key.name), entry.key.id),
                        TableFact{truth.file_of(owner.process, entry.number), owner.loop.is_watched(entry.number)});
}

void read_words(vfio::PciDevice& device, std::uint32_t at, std::uint32_t count, std::vector<std::uint32_t>& words) {
  for (std::uint32_t i = 0; i < count; ++i) words.push_back(device.read_config(at + i * 4, 4));
}

/// A device with many capabilities has a long space, and each word may be a call.
std::vector<std::uint32_t> read_config(vfio::PciDevice& device) {
  std::vector<std::uint32_t> words;
  words.reserve(kHeaderWords + kMsiWords + kMsixWords);
  read_words(device, 0, kHeaderWords, words);
  words[kStatusWord] &= ~kInterruptStatus;
  if (const std::uint32_t at = find_capability(device, vfio::pci::kMsi)) read_words(device, at, kMsiWords, words);
  if (const std::uint32_t at = find_capability(device, vfio::pci::kMsix)) read_words(device, at, kMsixWords, words);
  return words;
}

/// From a BAR, as `where` names it and an offset in it: a register of the MSI-X capability.
std::vector<std::byte> read_bar(vfio::PciDevice& device, std::uint32_t where, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; i += 4)
    (void)device.read_bar(where & 7, (where & ~7u) + i, std::span(bytes).subspan(i, 4));
  return bytes;
}

/// The table and the pending bits; empty where there is no MSI-X.
std::pair<std::vector<std::byte>, std::vector<std::byte>> read_msix(vfio::PciDevice& device) {
  constexpr std::size_t kVectorsAWord = 64;
  const std::uint32_t at = find_capability(device, vfio::pci::kMsix);
  if (at == 0) return {};
  const std::size_t count = (device.read_config(at + 2, 2) & vfio::pci::kMsixTableSize) + 1;
  const std::size_t pending = (count + kVectorsAWord - 1) / kVectorsAWord * sizeof(std::uint64_t);
  return {read_bar(device, device.read_config(at + 4, 4), count * kMsixEntryBytes),
          read_bar(device, device.read_config(at + 8, 4), pending)};
}

}  // namespace

Facts take_facts(Rig& rig, Owner& owner) {
  const machine::Truth truth(rig.machine());
  Facts facts{.call = rig.machine().calls(),
              .mappings = truth.mappings(),
              .triggers = truth.triggers(),
              .irqfds = truth.irqfds(),
              .devices = truth.devices(),
              .groups = truth.groups(),
              .page_tables = truth.page_tables(),
              .descriptors = truth.descriptors_open(owner.process),
              .locked_pages = owner.process.locked_pages(),
              .pinned_pages = owner.process.pinned_pages(),
              .environment = truth.environment(owner.process),
              .run_state = owner.vm->life().run_state,
              .incoming = owner.vm->life().is_incoming(),
              .blockers = owner.vm->life().blockers.size(),
              .participants = owner.vm->life().participants.size()};
  add_table(facts, truth, owner);
  facts.config.reserve(kMaxDevices);
  facts.msix_table.reserve(kMaxDevices);
  facts.pending.reserve(kMaxDevices);
  for (const vm::PciConfig& each : owner.vm->config().devices) {
    vfio::PciDevice* device = owner.vm->device(each.device.name);
    if (device == nullptr) continue;
    facts.config.push_back(read_config(*device));
    auto [table, pending] = read_msix(*device);
    facts.msix_table.push_back(std::move(table));
    facts.pending.push_back(std::move(pending));
  }
  for (const memory::RamBlock& block : owner.vm->ram().all())
    facts.ram.push_back(truth.contents_hash(truth.description_of(owner.process, block.fd), block.size));
  return facts;
}

}  // namespace vcpr::whole_vm
