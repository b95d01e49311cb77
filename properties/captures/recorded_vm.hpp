// A VM that a real QEMU handed over, taken up by this engine on the simulated machine.
//
// The host is the recording's: its devices with their groups, cdevs and configuration spaces. An old process of this
// engine brings them to where the recorded guest had them, which makes the descriptors; their keys, ids and every
// section then come from the recorded bytes alone.
#pragma once

#include <deque>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "engine/handover/pair_testing.hpp"
#include "engine/vmstate/main_stream_document.hpp"
#include "engine/vmstate/sections/vfio_cpr_pci.hpp"
#include "properties/streams/field_map.hpp"

namespace vcpr::captures {

/// A device of the recorder's host, and where its guest saw it.
struct RecordedDevice {
  machine::DeviceModel model{};
  const char* host = "";
  std::uint32_t group = 0;
  std::uint32_t cdev = 0;
  const char* guest = "";
};

/// What the command line of a recording says.
struct Recording {
  std::string name;
  lifecycle::Mode mode{};
  bool by_cdev = false;
  std::vector<RecordedDevice> devices;  ///< in order of the command line
};

/// How a failure of a test names it.
inline std::ostream& operator<<(std::ostream& out, const Recording& recording) {
  return out << recording.name;
}

/// A section that only QEMU has: its bytes go through.
struct Opaque {
  std::vector<std::byte> bytes;
  std::int64_t size = 0;
};

/// Fields by "idstr instance/path", with their bytes.
using Fields = std::map<std::string, streams::Stream>;

class RecordedVm {
 public:
  /// Reads both streams; the host stands, nobody runs yet.
  explicit RecordedVm(const Recording& recording);

  /// The old process sets its devices up as the recorded guest had them, and lets go.
  Expected<void> prepare();
  /// A new process loads both streams and takes over.
  Expected<void> arrive();
  /// It lets go and saves both.
  Expected<void> save();

  streams::Stream recorded_cpr, recorded_main;
  streams::Stream saved_cpr, saved_main;
  /// Of a main stream: what this engine understands. Numbers of sections are the writer's own.
  static Fields fields_of(const streams::Stream& main);

  handover::Side& old_side() { return *old_; }
  const store::CprState& arrived() { return new_->vm->life().cpr; }

 private:
  handover::Encoding encoding() const;
  vm::Config config() const;
  void plug_host();
  vmstate::VfioCprPci section_of(const RecordedDevice& device) const;
  Expected<void> program(const RecordedDevice& device);
  Expected<void> program_msix(vfio::PciDevice& device, const vmstate::PciFunction& wanted);
  Expected<void> program_msi(vfio::PciDevice& device, std::span<const std::byte> space);
  bool was_in_use(const std::string& host, std::uint32_t vector) const;
  Expected<vm::Arrival> carry_table();
  Expected<void> load_main();

  Recording recording_;
  vmstate::ParsedMainStream parsed_;
  machine::Machine machine_;
  std::deque<Opaque> stand_ins_;  ///< before the VMs, whose tables borrow them
  std::optional<handover::Side> old_;
  std::optional<handover::Side> new_;
};

}  // namespace vcpr::captures
