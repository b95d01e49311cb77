#include "properties/captures/recorded_vm.hpp"

#include <algorithm>
#include <cstring>

#include "engine/store/descriptor_kind.hpp"
#include "engine/vfio/config_space.hpp"
#include "engine/vfio/pci_registers.hpp"
#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/main_stream.hpp"
#include "properties/bad_input/capture.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/pci/guest.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"
#include "properties/streams/riders.hpp"
#include "source_dir.hpp"

namespace vcpr::captures {

namespace pci = vfio::pci;
using machine::DeviceModel;
using streams::StreamKind;

namespace {

constexpr const char* kCaptures = VCPR_SOURCE_DIR "/corpus/captures";
constexpr std::uint32_t kIgbVectors = 10;
/// Of the status register: the line is up (PCI Local Bus Specification 3.0, 6.2.3).
constexpr std::uint32_t kStatusInterrupt = 0x8;
/// Blocks that devices do not look at lie here, one behind the other; the recorded RAM ends far below.
constexpr std::uint64_t kFirmware = 1ULL << 32;
constexpr std::uint64_t kFirmwareStep = 1 << 20;

constexpr std::int64_t size_of(const Opaque& opaque) {
  return opaque.size;
}
constexpr vmstate::Field kOpaqueFields[] = {vmstate::vbuffer<&Opaque::bytes, &size_of>("bytes")};
constexpr auto kOpaque = vmstate::describe<Opaque>("opaque", 1 << 20, kOpaqueFields).minimum(0);

streams::Stream stream(const std::string& name, StreamKind kind) {
  for (bad_input::Capture& each : bad_input::captures(kCaptures, kind)) {
    if (each.name.starts_with(name + ".")) return std::move(each.bytes);
  }
  return {};
}

machine::Switches switches() {
  machine::Switches switches;
  switches.ipc_lock = true;  // 128 MiB of guest memory are pinned
  return switches;
}

/// What of the space neither the guest nor the kernel chooses becomes that of the recorded device.
void match_hardware(machine::PciFunction& function, std::span<const std::byte> recorded) {
  for (std::uint32_t i = 0; i < recorded.size(); ++i) {
    const bool chosen = (i >= pci::kCommand && i < pci::kStatus + 2) || i == pci::kInterruptLine ||
                        (i >= pci::kBar0 && i < pci::kBar0 + 4 * pci::kBars) ||
                        (function.model.msi != 0 && i >= function.model.msi + 2u && i < function.model.msi + 24u) ||
                        (function.model.msix != 0 && i >= function.model.msix + 2u && i < function.model.msix + 4u);
    if (!chosen) function.config[i] = recorded[i];
  }
}

/// The fields of one stream, each under its section's own name.
class Collector final : public vmstate::Observer {
 public:
  explicit Collector(std::span<const std::byte> bytes) : bytes_(bytes) {}
  void field(const vmstate::FieldSeen& seen) override {
    if (!seen.path.starts_with("sections[")) return;
    const std::string section(seen.path.substr(0, seen.path.find(']') + 1));
    const std::string_view path = seen.path.substr(section.size() + 1);
    if (path.ends_with("section_id") || path.ends_with("idlen")) return;
    const auto bytes = bytes_.subspan(seen.offset, seen.size);
    std::string name = numbered(section, path);
    while (fields.contains(name)) name += "'";
    fields.emplace(std::move(name), streams::Stream(bytes.begin(), bytes.end()));
  }
  Fields fields;

 private:
  /// The idstr begins the path; sections of one idstr are told apart by their order.
  std::string numbered(const std::string& section, std::string_view path) {
    static constexpr std::string_view kKnown[] = {"apic.",           "i8259.",   "ioapic.", "globalstate.",
                                                  "vfio-container.", "iommufd.", "ram."};
    std::size_t end = std::string_view::npos;
    for (std::string_view known : kKnown)
      if (path.starts_with(known)) end = known.size() - 1;
    const std::string_view kPci = "/vfio-cpr-pci.";
    if (auto at = path.find(kPci); at != std::string_view::npos) end = at + kPci.size() - 1;
    if (end == std::string_view::npos) return "other " + section + std::string(path);
    const std::string idstr(path.substr(0, end));
    auto [known, is_new] = numbers_.emplace(section, counts_[idstr]);
    if (is_new) ++counts_[idstr];
    const bool is_end_of_ram = idstr == "ram" && known->second > 0;
    return idstr + (is_end_of_ram ? " END" : " " + std::to_string(known->second)) + std::string(path.substr(end));
  }

  std::span<const std::byte> bytes_;
  std::map<std::string, std::uint32_t> numbers_;  ///< by section
  std::map<std::string, std::uint32_t> counts_;   ///< by idstr
};

}  // namespace

RecordedVm::RecordedVm(const Recording& recording)
    : recorded_cpr(stream(recording.name,
                          recording.mode == lifecycle::Mode::cpr_exec ? StreamKind::exec : StreamKind::transfer)),
      recorded_main(stream(recording.name, StreamKind::main)),
      recording_(recording),
      parsed_(vmstate::parse_main_stream(recorded_main)),
      machine_(switches()) {
  plug_host();
  old_.emplace(machine_.spawn());
  new_.emplace(machine_.spawn());
}

handover::Encoding RecordedVm::encoding() const {
  return recording_.mode == lifecycle::Mode::cpr_exec ? handover::Encoding::exec : handover::Encoding::transfer;
}

/// Two of each, as corpus/captures/README.md says: cdevs 0 to 3, groups 1 to 4.
void RecordedVm::plug_host() {
  machine_.plug({DeviceModel::edu, 1, "0000:00:05.0"});
  machine_.plug({DeviceModel::edu, 2, "0000:00:06.0"});
  machine_.plug({DeviceModel::igb, 3, "0000:00:07.0"});
  machine_.plug({DeviceModel::igb, 4, "0000:00:08.0"});
}

vmstate::VfioCprPci RecordedVm::section_of(const RecordedDevice& device) const {
  vmstate::VfioCprPci section;
  section.function.is_express = device.model == DeviceModel::igb;
  section.function.msix_vectors = section.function.is_express ? kIgbVectors : 0;
  for (const vmstate::MainRecord& record : parsed_.document.records) {
    if (record.head.idstr != std::string(device.guest) + "/vfio-cpr-pci") continue;
    wire::Reader in(record.payload);
    (void)vmstate::load(vmstate::kVfioCprPci, vmstate::kVfioCprPci.version, section, in);
  }
  return section;
}

vm::Config RecordedVm::config() const {
  vm::Config config;
  config.machine = "pc-q35-11.1";
  wire::Reader in(parsed_.document.records.front().payload);
  vmstate::RamContext context;
  auto part = vmstate::read_ram_part(in, context);
  for (std::size_t i = 0; part && i < part->blocks.size(); ++i) {
    const vmstate::RamBlock& block = part->blocks[i];
    config.ram.push_back({.name = std::string(block.name),
                          .size = block.used_length,
                          .address = i == 0 ? 0 : kFirmware + i * kFirmwareStep});
  }
  for (const RecordedDevice& each : recording_.devices) {
    vm::PciConfig device;
    device.device.name = each.host;
    device.device.group = each.group;
    if (recording_.by_cdev) {
      device.device.iommufd = "iommufd0";
      device.device.cdev = "/dev/vfio/devices/vfio" + std::to_string(each.cdev);
    }
    device.options.path = each.guest;
    config.devices.push_back(device);
  }
  return config;
}

Expected<void> RecordedVm::prepare() {
  if (Expected<void> built = old_->build(config()); !built) return built;
  // Opening it has reset it, which puts the model's own space back.
  for (const RecordedDevice& device : recording_.devices) {
    match_hardware(machine::find_cdev(machine_.impl(), device.cdev)->function, section_of(device).function.config);
  }
  if (Expected<void> runs = old_->vm->start(); !runs) return runs;
  for (const RecordedDevice& device : recording_.devices) {
    if (Expected<void> done = program(device); !done) return done;
  }
  if (Expected<void> stopped = old_->vm->stop(); !stopped) return stopped;
  return old_->vm->life().participants.let_go(recording_.mode);
}

/// What the guest's firmware and driver did: BARs, then the interrupts that the device came with.
Expected<void> RecordedVm::program(const RecordedDevice& which) {
  vfio::PciDevice& device = *old_->vm->device(which.host);
  const vmstate::VfioCprPci wanted = section_of(which);
  const std::span<const std::byte> space = wanted.function.config;
  Expected<void> done;
  for (std::uint32_t at = pci::kBar0; done && at < pci::kBar0 + 4 * pci::kBars; at += 4) {
    done = device.write_config(at, pci::get(space, at, 4), 4);
  }
  if (done) done = device.write_config(pci::kCommand, pci::get(space, pci::kCommand, 2), 2);
  if (done && wanted.intx.route_irq != 0) {
    done = device.set_intx_route({.enabled = true, .gsi = static_cast<std::uint32_t>(wanted.intx.route_irq)});
  }
  machine::start_driver(machine_, which.cdev);
  if (done && device.config().msi()) done = program_msi(device, space);
  if (done && device.config().msix()) done = program_msix(device, wanted.function);
  // The recorded edu drives its line although it is set to messages.
  const bool line_is_up = (pci::get(space, pci::kStatus, 2) & kStatusInterrupt) != 0;
  if (line_is_up) machine::set_line(machine::find_cdev(machine_.impl(), which.cdev)->function, true);
  return done;
}

Expected<void> RecordedVm::program_msi(vfio::PciDevice& device, std::span<const std::byte> space) {
  const vfio::MsiCapability& msi = *device.config().msi();
  Expected<void> done;
  for (std::uint32_t at = msi.offset + 4; done && at < msi.data() + 2; at += 2) {
    done = device.write_config(at, pci::get(space, at, 2), 2);
  }
  return done ? device.write_config(msi.offset + 2, pci::get(space, msi.offset + 2, 2), 2) : done;
}

/// A vector that has an eventfd was unmasked once, also if it is masked now.
Expected<void> RecordedVm::program_msix(vfio::PciDevice& device, const vmstate::PciFunction& wanted) {
  const vfio::MsixCapability& msix = *device.config().msix();
  const std::uint32_t open = 0;
  Expected<void> done = device.write_config(msix.offset + 2, pci::get(wanted.config, msix.offset + 2, 2), 2);
  for (std::uint32_t vector = 0; done && vector < wanted.msix_vectors; ++vector) {
    const auto entry = std::span(wanted.msix).subspan(16ULL * vector, 16);
    const std::uint64_t place = msix.table_offset + 16ULL * vector;
    done = device.write_bar(msix.table_bar, place, entry.first(12));
    if (done && was_in_use(device.name(), vector)) {
      done = device.write_bar(msix.table_bar, place + 12, std::as_bytes(std::span(&open, 1)));
    }
    if (done) done = device.write_bar(msix.table_bar, place + 12, entry.subspan(12));
  }
  return done;
}

bool RecordedVm::was_in_use(const std::string& host, std::uint32_t vector) const {
  streams::Riders riders(recorded_cpr, encoding());
  while (auto rider = riders.next()) {
    if (rider->name == host + "_interrupt" && rider->id == static_cast<std::int32_t>(vector)) return true;
  }
  return false;
}

/// The recorded bytes of the table; each descriptor is the old process's of the same key.
Expected<vm::Arrival> RecordedVm::carry_table() {
  wire::Inbox inbox;
  inbox.bytes = recorded_cpr;
  machine::ProcessState& from = machine::state_of(*old_->process);
  machine::ProcessState& to = machine::state_of(*new_->process);
  streams::Riders riders(recorded_cpr, encoding());
  while (auto rider = riders.next()) {
    Expected<int> ours = old_->vm->life().cpr.descriptors.find({rider->name, rider->id});
    if (!ours) return std::unexpected(std::move(ours.error()));
    machine::Description& description = *from.table.find(*ours)->description;
    machine::acquire(description);
    const bool by_number = rider->number >= 0;
    const std::uint32_t number = by_number ? static_cast<std::uint32_t>(rider->number) : to.table.lowest_free();
    to.table.put(to.machine.arena, number, description, true);
    if (!by_number) inbox.descriptors.push_back({rider->offset, os::Fd(*new_->kernel, static_cast<int>(number))});
  }
  auto state = handover::load_cpr_state(*new_->kernel, std::move(inbox), encoding());
  if (!state) return std::unexpected(std::move(state.error()));
  const bool is_exec = encoding() == handover::Encoding::exec;
  return vm::Arrival{.incoming = is_exec ? lifecycle::Incoming::exec : lifecycle::Incoming::transfer,
                     .state = std::move(*state)};
}

Expected<void> RecordedVm::load_main() {
  Expected<vmstate::SectionTable*> sections = new_->vm->sections(recording_.mode);
  if (!sections) return std::unexpected(std::move(sections.error()));
  for (const vmstate::MainRecord& record : parsed_.document.records) {
    const vmstate::RecordHead& head = record.head;
    if (!head.is_named() || (*sections)->find(head.idstr, head.instance_id) != nullptr) continue;
    Opaque& bytes = stand_ins_.emplace_back();
    bytes.size = static_cast<std::int64_t>(record.payload.size());
    vmstate::Section section;
    section.idstr = std::string(head.idstr);
    section.instance_id = head.instance_id;
    section.version = head.version;
    section.description = &kOpaque;
    section.object = &bytes;
    if (Expected<void> added = (*sections)->add(std::move(section)); !added) return added;
  }
  wire::Reader in(recorded_main);
  auto loaded = vmstate::load_main_stream(new_->vm->configuration(), **sections, in);
  return loaded ? Expected<void>() : std::unexpected(std::move(loaded.error()));
}

Expected<void> RecordedVm::arrive() {
  Expected<vm::Arrival> arrival = carry_table();
  if (!arrival) return std::unexpected(std::move(arrival.error()));
  if (Expected<void> built = new_->build(config(), std::move(*arrival)); !built) return built;
  if (Expected<void> loaded = load_main(); !loaded) return loaded;
  lifecycle::Participants& participants = new_->vm->life().participants;
  Expected<void> done = participants.check_loaded(recording_.mode);
  if (done) done = new_->vm->check_arrived();
  if (done) old_->vm->life().participants.done();
  if (done) old_->vm->give_away();
  if (done) done = participants.take_over(recording_.mode);
  if (done) done = new_->vm->arrive();
  return done;
}

Expected<void> RecordedVm::save() {
  wire::Outbox table;
  if (auto saved = handover::save_cpr_state(arrived(), encoding(), table); !saved) return saved;
  saved_cpr = std::move(table.bytes);
  if (auto stopped = new_->vm->stop(); !stopped) return stopped;
  if (auto gone = new_->vm->life().participants.let_go(recording_.mode); !gone) return gone;
  Expected<vmstate::SectionTable*> sections = new_->vm->sections(recording_.mode);
  if (!sections) return std::unexpected(std::move(sections.error()));
  wire::Outbox out;
  wire::Writer writer(out);
  auto saved = vmstate::save_main_stream(new_->vm->configuration(), **sections, {}, writer);
  saved_main = std::move(out.bytes);
  return saved;
}

Fields RecordedVm::fields_of(const streams::Stream& main) {
  Collector collector(main);
  (void)streams::observe(main, StreamKind::main, collector);
  std::erase_if(collector.fields, [](const auto& each) { return each.first.starts_with("other "); });
  return std::move(collector.fields);
}

}  // namespace vcpr::captures
