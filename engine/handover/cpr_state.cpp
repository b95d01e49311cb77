#include "engine/handover/cpr_state.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/handover/element_finder.hpp"
#include "engine/os/abi.hpp"
#include "engine/vmstate/codec.hpp"

namespace vcpr::handover {

namespace {

using store::kMaxEntries;
using store::kMaxNameBytes;
using vmstate::DescriptorEncoding;

/// An element of the first list, QEMU's "cpr fd".
struct EntryOnWire {
  store::Key key;
  vmstate::Descriptor fd;
};
constexpr vmstate::Field kEntryFields[] = {
    vmstate::counted_name<&EntryOnWire::key, &store::Key::name>("name", kMaxNameBytes),
    vmstate::field<&EntryOnWire::key, &store::Key::id>("id"),
    vmstate::descriptor<&EntryOnWire::fd>("fd"),
};
constexpr auto kEntry = vmstate::describe<EntryOnWire>("cpr fd", 1, kEntryFields);

/// An element of the second list, QEMU's "cpr vfio device".
struct RecordOnWire {
  std::string_view name;
  store::DeviceIds ids;
};
constexpr vmstate::Field kRecordFields[] = {
    vmstate::counted_name<&RecordOnWire::name>("name", kMaxNameBytes),
    vmstate::field<&RecordOnWire::ids, &store::DeviceIds::devid>("devid"),
    vmstate::field<&RecordOnWire::ids, &store::DeviceIds::ioas_id>("ioas_id"),
    vmstate::field<&RecordOnWire::ids, &store::DeviceIds::hwpt_id>("hwpt_id"),
};
constexpr auto kRecord = vmstate::describe<RecordOnWire>("cpr vfio device", 1, kRecordFields);

/// Bytes of an element after its name.
constexpr std::uint64_t kEntryTailTransfer = 4 + 1;
constexpr std::uint64_t kEntryTailExec = 4 + 4;
constexpr std::uint64_t kRecordTail = 4 + 4 + 4;

constexpr std::string_view kDevicesName = "CprState/vfio devices";

ElementFinder entry_finder(std::span<const std::byte> bytes, Encoding encoding) {
  return {bytes, kCprHeaderBytes, encoding == Encoding::transfer ? kEntryTailTransfer : kEntryTailExec};
}

/// The table between its list in the stream and itself.
struct EntryList {
  // saving: elements are asked for in ascending order
  mutable std::optional<store::DescriptorTable::Iterator> next = {};
  std::uint64_t count = 0;
  // loading
  os::Kernel* kernel = nullptr;
  store::DescriptorTable* table = nullptr;
  Encoding encoding{};
  std::span<const std::byte> bytes = {};

  ElementFinder finder() const { return entry_finder(bytes, encoding); }
};

struct RecordList {
  // saving
  mutable std::optional<store::DeviceRecords::Iterator> next = {};
  std::uint64_t count = 0;
  // loading
  store::DeviceRecords* records = nullptr;
  Encoding encoding{};
  std::span<const std::byte> bytes = {};

  ElementFinder finder() const {
    constexpr std::uint64_t kSubsectionHeader = 1 + 1 + kDevicesName.size() + 4;
    return {bytes, entry_finder(bytes, encoding).end() + kSubsectionHeader, kRecordTail};
  }
};

Expected<void> check_open(os::Kernel& kernel, const EntryOnWire& entry) {
  os::Result<int> flags = kernel.fcntl(entry.fd.number, os::abi::f_getfd, 0);
  if (flags) return {};
  Decimal number(entry.fd.number);
  if (flags.error() != os::Errno::ebadf) return refuse_os(flags.error(), {"fcntl of descriptor ", number});
  return refuse(ErrorCode::bad_descriptor, {store::describe(entry.key), ": descriptor ", number, " is not open"});
}

/// Tells where the entry is that a refused one clashes with.
Error with_earlier(Error error, const EntryList& list, store::Key refused, int number) {
  store::Key earlier = refused;
  if (error.code == ErrorCode::same_descriptor) {
    earlier = list.table->find_number(number)->key;
  } else if (error.code != ErrorCode::duplicate_key) {
    return error;
  }
  std::uint64_t at =
      list.finder().find([&](std::string_view name, std::int32_t id) { return store::Key{name, id} == earlier; });
  error.text += ", first at byte ";
  error.text += std::string_view(Decimal(at));
  return error;
}

/// An inherited number is ours only if it is open.
Expected<void> adopt(EntryList& list, const EntryOnWire& entry) {
  if (Expected<void> open = check_open(*list.kernel, entry); !open) return open;
  return list.table->adopt(entry.key, *list.kernel, entry.fd.number);
}

struct EntryOperations {
  static std::uint64_t size(const EntryList& list) { return list.count; }
  static EntryOnWire at(const EntryList& list, std::uint64_t) {
    store::Entry entry = **list.next;
    ++*list.next;
    return {entry.key, {.received = {}, .number = entry.number}};
  }
  static Expected<void> append(EntryList& list, EntryOnWire&& entry) {
    Expected<void> kept = list.encoding == Encoding::transfer
                              ? list.table->save(entry.key, std::move(entry.fd.received))
                              : adopt(list, entry);
    if (!kept) return std::unexpected(with_earlier(std::move(kept.error()), list, entry.key, entry.fd.number));
    return kept;
  }
};

struct RecordOperations {
  static std::uint64_t size(const RecordList& list) { return list.count; }
  static RecordOnWire at(const RecordList& list, std::uint64_t) {
    store::DeviceRecords::Record record = **list.next;
    ++*list.next;
    return {record.device, record.ids};
  }
  static Expected<void> append(RecordList& list, RecordOnWire&& record) {
    Expected<void> added = list.records->add(record.name, record.ids);
    if (added || added.error().code != ErrorCode::duplicate_key) return added;
    std::uint64_t at = list.finder().find([&](std::string_view name, std::int32_t) { return name == record.name; });
    added.error().text += ", first at byte ";
    added.error().text += std::string_view(Decimal(at));
    return added;
  }
};

/// Both lists between the stream and the state.
struct Lists {
  EntryList fds;
  RecordList devices;
};

constexpr vmstate::Field kDevicesFields[] = {
    vmstate::list<&Lists::devices, RecordOperations>("devices", kRecord, kMaxEntries),
};
constexpr auto kDevices =
    vmstate::describe<Lists>(kDevicesName, 1, kDevicesFields).minimum(1).required().possibly_empty();
constexpr const vmstate::Description* kSubsections[] = {&kDevices};
constexpr vmstate::Field kStateFields[] = {
    vmstate::list<&Lists::fds, EntryOperations>("fds", kEntry, kMaxEntries),
};
constexpr auto kState = vmstate::describe<Lists>("CprState", 1, kStateFields).minimum(1).with_subsections(kSubsections);

DescriptorEncoding riding_or_number(Encoding encoding) {
  return encoding == Encoding::transfer ? DescriptorEncoding::riding : DescriptorEncoding::number;
}

/// An entry in a stream, most of it the name.
constexpr std::size_t kTypicalEntryBytes = 32;

void reserve_for(CprState& state, std::size_t stream_bytes) {
  state.descriptors.reserve(stream_bytes / kTypicalEntryBytes, stream_bytes);
}

Expected<void> check_everything_used(const wire::Reader& in, std::span<const wire::ArrivedFd> descriptors) {
  if (Expected<void> ended = vmstate::expect_end(in); !ended) return ended;
  std::size_t left = in.descriptors_left();
  if (left == 0) return {};
  const wire::ArrivedFd& extra = descriptors[descriptors.size() - left];
  return refuse_at(ErrorCode::extra_descriptor, extra.first_byte,
                   {Decimal(std::uint64_t{left}), " descriptors came that no entry asks for"});
}

Expected<void> load_into(CprState& state, os::Kernel& kernel, wire::Inbox& inbox, Encoding encoding, Peer peer) {
  if (Expected<void> header = check_cpr_header(inbox.bytes); !header) return header;
  reserve_for(state, inbox.bytes.size());
  Lists lists;
  lists.fds.kernel = &kernel;
  lists.fds.table = &state.descriptors;
  lists.fds.encoding = lists.devices.encoding = encoding;
  lists.fds.bytes = lists.devices.bytes = inbox.bytes;
  lists.devices.records = &state.devices;
  wire::Reader in(inbox.bytes, inbox.descriptors);
  (void)in.bytes(kCprHeaderBytes, "header");
  vmstate::LoadOptions options{.descriptors = riding_or_number(encoding),
                               .accept_empty_subsections = peer == Peer::stub,
                               .accept_missing_subsections = peer == Peer::qemu_10_0};
  if (Expected<void> loaded = vmstate::load(kState, kCprVersion, lists, in, options); !loaded) return loaded;
  return check_everything_used(in, inbox.descriptors);
}

/// Reports the header as far as it is there.
void observe_header(std::span<const std::byte> bytes, vmstate::Observer& observer) {
  wire::Reader in(bytes);
  for (auto [path, role] : {std::pair{"magic", vmstate::Role::magic}, {"version", vmstate::Role::version}}) {
    std::uint64_t offset = in.offset();
    Expected<std::uint32_t> word = in.be32(path);
    if (!word) return;
    observer.field({offset, 4, path, role, "uint32", Decimal(*word)});
  }
}

}  // namespace

Expected<void> save_cpr_state(const CprState& state, Encoding encoding, wire::Outbox& out) {
  Lists lists;
  lists.fds.next = state.descriptors.begin();
  lists.fds.count = state.descriptors.size();
  lists.devices.next = state.devices.begin();
  lists.devices.count = state.devices.size();
  out.bytes.reserve(out.bytes.size() + (lists.fds.count + lists.devices.count + 2) * kTypicalEntryBytes);
  out.descriptors.reserve(out.descriptors.size() + lists.fds.count);
  wire::Writer writer(out);
  writer.be32(kCprMagic);
  writer.be32(kCprVersion);
  return vmstate::save(kState, lists, writer, {.descriptors = riding_or_number(encoding)});
}

Expected<CprState> load_cpr_state(os::Kernel& kernel, wire::Inbox inbox, Encoding encoding, Peer peer) {
  Expected<CprState> state(std::in_place);
  if (Expected<void> loaded = load_into(*state, kernel, inbox, encoding, peer); !loaded) {
    if (encoding == Encoding::exec) state->descriptors.disown();
    state = std::unexpected(std::move(loaded.error()));
  }
  return state;
}

std::optional<Error> observe_cpr_state(std::span<const std::byte> bytes, Encoding encoding,
                                       vmstate::Observer& observer) {
  observe_header(bytes, observer);
  if (Expected<void> header = check_cpr_header(bytes); !header) return header.error();
  wire::Reader in(bytes);
  (void)in.bytes(kCprHeaderBytes, "header");
  Lists scratch;
  Expected<void> seen = vmstate::observe(kState, kCprVersion, scratch, in, riding_or_number(encoding), "", observer);
  if (seen) seen = vmstate::expect_end(in);
  if (!seen) return seen.error();
  return std::nullopt;
}

Expected<void> check_cpr_header(std::span<const std::byte> prefix) {
  wire::Reader in(prefix);
  Expected<std::uint32_t> magic = in.be32("magic");
  if (!magic) return std::unexpected(std::move(magic.error()));
  if (*magic != kCprMagic) {
    return refuse_at(ErrorCode::bad_magic, 0,
                     {"magic ", Decimal(*magic), " is not that of a CPR state, ", Decimal(kCprMagic)});
  }
  Expected<std::uint32_t> version = in.be32("version");
  if (!version) return std::unexpected(std::move(version.error()));
  if (*version != kCprVersion) {
    return refuse_at(ErrorCode::bad_version, 4,
                     {"version ", Decimal(*version), ", only ", Decimal(kCprVersion), " is known"});
  }
  return {};
}

}  // namespace vcpr::handover
