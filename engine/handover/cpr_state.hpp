// The CPR state: the table and the device records as one stream (engine/vmstate/FORMAT.md, "CPR state").
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"
#include "engine/store/descriptor_table.hpp"
#include "engine/store/device_records.hpp"
#include "engine/vmstate/observer.hpp"
#include "engine/wire/inbox.hpp"
#include "engine/wire/outbox.hpp"

namespace vcpr::handover {

struct CprState {
  store::DescriptorTable descriptors;
  store::DeviceRecords devices;
};

/// How a descriptor is written: one service byte with SCM_RIGHTS, or its number in the process that will exec.
enum class Encoding : std::uint8_t { transfer, exec };

/// Which older or smaller writer a load accepts beside QEMU 10.1 and later with iommufd.
enum class Peer : std::uint8_t {
  current,    ///< strict: the device subsection with its list is there
  qemu_10_0,  ///< no device subsection at all
  stub,       ///< built without iommufd: the subsection's header and nothing after it
};

/// Writes the state. Entries in order of the table; the Outbox borrows the descriptors.
Expected<void> save_cpr_state(const CprState& state, Encoding encoding, wire::Outbox& out);

/// Loads a whole stream, or refuses it with the offset of the offending field and no effect: every received
/// descriptor is closed, an inherited one stays as it was. Checks everything but the kinds (store::verify_kinds).
/// In exec encoding each number must be open (fcntl), and becomes close-on-exec once everything has been accepted.
Expected<CprState> load_cpr_state(os::Kernel& kernel, wire::Inbox inbox, Encoding encoding, Peer peer = Peer::current);

/// Walks the fields of a stream as far as it is valid, without descriptors and without limits on their presence;
/// returns why it stopped, if it did.
std::optional<Error> observe_cpr_state(std::span<const std::byte> bytes, Encoding encoding,
                                       vmstate::Observer& observer);

/// Refuses a stream of another protocol as soon as its first eight bytes are there: bad_magic, bad_version.
Expected<void> check_cpr_header(std::span<const std::byte> prefix);

}  // namespace vcpr::handover
