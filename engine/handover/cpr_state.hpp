// The CPR state: the table and the device records as one stream (engine/vmstate/FORMAT.md, "CPR state").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"
#include "engine/store/cpr_state.hpp"
#include "engine/vmstate/observer.hpp"
#include "engine/wire/inbox.hpp"
#include "engine/wire/outbox.hpp"

namespace vcpr::handover {

/// First word of the stream, "QCPR", and the version that follows it (QEMU migration/cpr.c).
inline constexpr std::uint32_t kCprMagic = 0x51435052;
inline constexpr std::uint32_t kCprVersion = 1;
inline constexpr std::size_t kCprHeaderBytes = 8;

/// A load allocates at most this many bytes per byte of the stream, and kLoadSlackBytes: the shortest entry has 12
/// bytes, and its slot and index cells ten times that.
inline constexpr std::size_t kLoadMemoryFactor = 16;
inline constexpr std::size_t kLoadSlackBytes = 4096;

using store::CprState;

/// How a descriptor is written: one service byte with SCM_RIGHTS, or its number in the process that will exec.
enum class Encoding : std::uint8_t { transfer, exec };

/// Which older or smaller writer a load accepts beside QEMU 10.1 and later with iommufd.
enum class Peer : std::uint8_t {
  current,    ///< strict: the device subsection with its list is there
  qemu_10_0,  ///< no device subsection at all
  stub,       ///< built without iommufd: the subsection's header and nothing after it
};

/// Appends the state. Entries in order of the table; the Outbox borrows the descriptors. Errors are those of the codec
/// (vmstate::save); what was written by then is of no use.
Expected<void> save_cpr_state(const CprState& state, Encoding encoding, wire::Outbox& out);

/// Loads a whole stream, or refuses it with the offset of the offending field and no effect: every received
/// descriptor is closed, an inherited one stays as it was. Checks everything but the kinds (store::verify_kinds).
/// Stricter than QEMU: keys and device names are unique, a marker is 0 or 1, every received descriptor is wanted, and
/// nothing follows the last field. In exec encoding each number must be open (fcntl); whoever discards such a state
/// disowns its table first. Descriptor flags are load_exec_state's business.
Expected<CprState> load_cpr_state(os::Kernel& kernel, wire::Inbox inbox, Encoding encoding, Peer peer = Peer::current);

/// Walks the fields of a stream as far as it is valid, without descriptors and without limits on their presence;
/// returns why it stopped, if it did.
std::optional<Error> observe_cpr_state(std::span<const std::byte> bytes, Encoding encoding,
                                       vmstate::Observer& observer);

/// Refuses a stream of another protocol as soon as its first eight bytes are there: bad_magic, bad_version; truncated
/// before.
Expected<void> check_cpr_header(std::span<const std::byte> prefix);

}  // namespace vcpr::handover
